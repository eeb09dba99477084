#pragma once

#include <array>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::spatial {

using Corner = std::array<double, 2>;  ///< x, y
/// Corners in order, open; counter-clockwise where it says so (x to the right, y up).
using Polygon = std::vector<Corner>;

/// Above 0 for corners that run counter-clockwise.
double signed_area(std::span<const Corner> polygon);

/// The smallest convex polygon around points (rows x, y; finite), counter-clockwise, without
/// corners on its sides. Fewer than three corners where the points lie on a line. Local.
Polygon convex_hull(const Eigen::Ref<const core::MatrixD>& points);

/// The part of `polygon` in the convex, counter-clockwise `window` (Sutherland and Hodgman 1974);
/// of a polygon that is not convex several pieces joined by edges without area. Local.
Polygon clip(std::span<const Corner> polygon, std::span<const Corner> window);

/// Area that a polygon and a disc share, exactly: sectors and triangles of each edge as seen from
/// the centre. Signed like the polygon. Local.
double disc_overlap(std::span<const Corner> polygon, const Corner& centre, double radius);

}  // namespace smeta::spatial
