#pragma once

#include "smeta/align/section_raster.hpp"

namespace smeta::align::detail {

/// Separable Gaussian blur of every column of cells by features; `sigma` in cells.
core::MatrixF blur(const core::MatrixF& values, const RasterGrid& grid, double sigma);
/// By how much the content of a section is smoothed, in cells.
double content_blur(const SectionRaster& raster);

}  // namespace smeta::align::detail
