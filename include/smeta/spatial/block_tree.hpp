#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::spatial {

/// Exact nearest neighbours in tens of dimensions: a k-d tree with tight boxes whose leaves hold
/// points in blocks of eight, dimension by dimension, so that a leaf is scanned with vector
/// instructions. Several times faster than PointIndex above about four dimensions. Results depend
/// only on the points and their order. Const members may be called by many threads at once. Local.
class BlockTree {
  public:
    /// Copies the points (n by d, finite, n < 2^31).
    explicit BlockTree(const core::MatrixD& points);

    std::int64_t rows() const { return static_cast<std::int64_t>(order_.size()); }
    /// The rows in the order of the leaves: near rows are near each other.
    const std::vector<std::int32_t>& order() const { return order_; }

    struct Found {
        double squared = 0;  ///< distance
        std::int32_t row = 0;
        bool operator<(const Found& other) const {
            return squared != other.squared ? squared < other.squared : row < other.row;
        }
    };
    /// The k nearest points but row `exclude`, nearest first, equal distances in ascending row;
    /// fewer where there are not so many. `found` is reused by consecutive calls of one thread.
    void nearest(std::span<const double> query, std::int64_t k, std::int32_t exclude,
                 std::vector<Found>& found) const;

  private:
    static constexpr std::int64_t kLanes = 8;
    struct Node {
        std::int32_t left = -1;  ///< -1: a leaf
        std::int32_t right = -1;
        std::int32_t first = 0;  ///< position in order_
        std::int32_t last = 0;
        std::int64_t block = 0;  ///< of a leaf: its first block
    };
    struct Search;
    std::int32_t build(const core::MatrixD& points, std::int32_t first, std::int32_t last);
    void fill_leaf(const core::MatrixD& points, Node& node);
    double box_distance(std::int32_t node, const double* query) const;
    void visit(std::int32_t node, Search& search) const;
    void scan(const Node& leaf, Search& search) const;

    std::int64_t width_ = 0;
    std::vector<std::int32_t> order_;
    std::vector<Node> nodes_;
    std::vector<double> boxes_;   ///< of each node: width_ low ends, width_ high ends
    std::vector<double> blocks_;  ///< width_ x kLanes values each; lanes without a point are NaN
};

}  // namespace smeta::spatial
