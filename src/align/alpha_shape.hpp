#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::align::detail {

/// The border of an alpha shape: edges of the Delaunay triangulation that lie in exactly one
/// triangle with a circumradius below alpha, of inner holes too (spec A4.2).
struct AlphaShape {
    double alpha = 0;
    std::vector<std::array<std::int64_t, 2>> edges;  ///< rows of the points, the lower one first
};

/// Of points (x, y), some of them not on a line. `alpha` rises from `first` in steps of `step`
/// (both above 0) until the shape is not empty. Of equal points only the first is used. O(n log n).
/// Local.
AlphaShape alpha_shape(const core::MatrixD& points, double first, double step);

/// The end points of the edges, each once, ascending rows.
core::MatrixD border_points(const core::MatrixD& points, const AlphaShape& shape);

}  // namespace smeta::align::detail
