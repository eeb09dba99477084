#pragma once

#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::spatial {

/// Whether a point lies inside rings (vertices by x, y; open or closed) by the even-odd rule: a ray
/// to larger x crosses an odd number of edges. Holes are rings inside others. Of the points on an
/// edge those count that have the inside at larger x or, on a horizontal edge, at larger y; so
/// polygons that share an edge share no point. Local.
bool is_inside(const std::vector<core::MatrixD>& rings, double x, double y);

/// Area of a polygon: the first ring's less that of the others. Local.
double polygon_area(const std::vector<core::MatrixD>& rings);

}  // namespace smeta::spatial
