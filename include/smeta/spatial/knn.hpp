#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::spatial {

/// A point found by a search: its row in the indexed points and its Euclidean distance to the
/// query.
struct Neighbour {
    std::int64_t row = 0;
    double distance = 0.0;
    bool operator==(const Neighbour&) const = default;
};

/// The k nearest points of every query, nearest first; equal distances in ascending row. Row-major,
/// queries by k.
struct KnnGraph {
    std::int64_t rows = 0;
    std::int64_t k = 0;
    std::vector<std::int64_t> neighbours;
    std::vector<double> distances;  ///< Euclidean, unit of the coordinates

    std::span<const std::int64_t> row_neighbours(std::int64_t row) const {
        return std::span(neighbours).subspan(row * k, k);
    }
    std::span<const double> row_distances(std::int64_t row) const {
        return std::span(distances).subspan(row * k, k);
    }
};

/// kd-tree over points (rows) of few dimensions. Searches are exact; ties go to the lowest row, so
/// that results depend only on the points and their order. Const members may be called by many
/// threads at once. Local.
class PointIndex {
  public:
    /// Copies the points (n by d, d >= 1); throws NumericError when a coordinate is not finite.
    explicit PointIndex(const Eigen::Ref<const core::MatrixD>& points);
    ~PointIndex();
    PointIndex(PointIndex&&) noexcept;
    PointIndex& operator=(PointIndex&&) noexcept;

    std::int64_t rows() const;
    /// The min(k, rows) points nearest to `query` (d coordinates); `exclude` is left out (-1:
    /// none).
    std::vector<Neighbour> nearest(std::span<const double> query, std::int64_t k,
                                   std::int64_t exclude = -1) const;
    /// All points at distance <= radius, nearest first.
    std::vector<Neighbour> within(std::span<const double> query, double radius) const;

  private:
    struct Tree;
    std::unique_ptr<Tree> tree_;
};

/// k nearest other points of every point; k is cut to n - 1. Parallel over points; independent of
/// the thread count. Local.
KnnGraph nearest_neighbours(const Eigen::Ref<const core::MatrixD>& points, std::int64_t k);
/// k nearest of `points` for every row of `queries`; k is cut to the number of points. As above.
KnnGraph nearest_points(const PointIndex& points, const Eigen::Ref<const core::MatrixD>& queries,
                        std::int64_t k);

/// Smallest distance between two of the points (0 when two coincide); NaN below two points. Local.
double minimum_distance(const Eigen::Ref<const core::MatrixD>& points);

}  // namespace smeta::spatial
