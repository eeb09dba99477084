#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::spatial {

/// Weighted directed graph of the spots of one section as compressed rows: w[row, column]. Columns
/// ascend in a row.
struct SpatialGraph {
    std::int64_t rows = 0;
    std::vector<std::int64_t> indptr{0};
    std::vector<std::int64_t> columns;
    std::vector<double> weights;

    std::span<const std::int64_t> row_columns(std::int64_t row) const {
        return std::span(columns).subspan(indptr[row], indptr[row + 1] - indptr[row]);
    }
    std::span<const double> row_weights(std::int64_t row) const {
        return std::span(weights).subspan(indptr[row], indptr[row + 1] - indptr[row]);
    }
    bool operator==(const SpatialGraph&) const = default;
};

/// Positions on the array of spots, as Space Ranger's array_row and array_col.
struct ArrayPositions {
    std::vector<std::int64_t> row;
    std::vector<std::int64_t> column;
};

/// True when the positions are distinct and row + column has the same parity everywhere, as on a
/// hexagonal array (Visium: columns of neighbouring rows are shifted by one, neighbours in a row
/// are two columns apart).
bool is_hexagonal(const ArrayPositions& positions);

/// Spots joined to those among their six hexagonal neighbours (r, c +- 2), (r +- 1, c +- 1) that
/// exist; weight 1. Symmetric.
SpatialGraph hexagonal_graph(const ArrayPositions& positions);

/// Directed graph of the k nearest other points: every point s gives w[neighbour, s] = 1; ties to
/// the lowest row (SpatialMETA's generic graph, k = 6). Local, parallel over points.
SpatialGraph nearest_neighbour_graph(const Eigen::Ref<const core::MatrixD>& points,
                                     std::int64_t k = 6);

/// Divides every row with a positive sum by its sum.
void normalise_rows(SpatialGraph& graph);

/// The graph that spatial statistics use: hexagonal where array positions are given, hexagonal and
/// have at least one edge, else six nearest neighbours of the coordinates; rows normalised.
/// `points`: n by 2. Local.
SpatialGraph spatial_graph(const Eigen::Ref<const core::MatrixD>& points,
                           const std::optional<ArrayPositions>& positions);

}  // namespace smeta::spatial
