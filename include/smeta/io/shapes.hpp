#pragma once

#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::io {

/// Rings of a polygon, each n vertices by (x, y): the outline, then holes.
using Rings = std::vector<core::MatrixD>;

/// What a user drew on a section under one name.
struct Shape {
    std::string name;                  ///< never empty
    std::string sample;                ///< empty: not said
    std::vector<Rings> polygons;       ///< of regions
    std::vector<core::MatrixD> lines;  ///< of paths, each n by (x, y), n >= 2
};

enum class ShapeKind { Regions, Paths };

/// Reads regions (Polygon, MultiPolygon) or paths (LineString, MultiLineString) from GeoJSON: a
/// FeatureCollection, an array of features (QuPath), one feature or a bare geometry. The name is
/// properties.name, else properties.classification.name, else region_N or path_N (N = 1, 2, ... in
/// the file); the sample is properties.sample. Or from a table of vertices in drawing order:
/// columns x, y and, where they are, name, sample and ring (vertices of one name, sample and ring
/// make one ring; rings of a name make one polygon, or lines of a path). Features of the same name
/// and sample are one shape. Order of first appearance. FormatError naming the feature or line;
/// IoError. Local.
std::vector<Shape> read_shapes(const std::string& path, ShapeKind kind);

}  // namespace smeta::io
