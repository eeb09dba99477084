#pragma once

#include <cstdint>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/spatial/graph.hpp"
#include "smeta/spatial/polygon_overlap.hpp"

namespace smeta::spatial {

/// Places of a hexagonal grid: rows along x, every second one shifted by half a pitch.
struct HexGrid {
    core::MatrixD points;  ///< x, y; row by row, each to larger x
    /// As on a Visium array: columns of neighbouring rows are shifted by one, neighbours in a row
    /// are two columns apart.
    ArrayPositions array;
};

/// The places inside a convex, counter-clockwise polygon of area above 0; `pitch`: distance of
/// neighbours. The grid is centred in the polygon's bounding box. Local.
HexGrid hex_grid(const Polygon& area, double pitch);

/// The cell of a place at the origin: a hexagon, counter-clockwise; the cells of all places tile
/// the plane.
Polygon hex_cell(double pitch);

}  // namespace smeta::spatial
