#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "smeta/align/align_config.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::align {

/// Square cells; the centre of cell (i, j) lies at (x0 + i cell, y0 + j cell). Values are stored
/// row by row: j * nx + i.
struct RasterGrid {
    std::int64_t nx = 0;
    std::int64_t ny = 0;
    double x0 = 0;
    double y0 = 0;
    double cell = 1;

    std::int64_t size() const { return nx * ny; }
    double x(std::int64_t i) const { return x0 + static_cast<double>(i) * cell; }
    double y(std::int64_t j) const { return y0 + static_cast<double>(j) * cell; }
};

/// What the alignment knows of one section: where its tissue is and how its content varies there.
/// Lengths are in the unit of the points.
struct SectionRaster {
    RasterGrid grid;
    double pitch = 0;                    ///< distance of neighbouring points (lattices: exact)
    double area = 0;                     ///< of the tissue
    double length = 0;                   ///< square root of the area
    std::array<double, 2> centre{0, 0};  ///< centroid of the tissue
    std::int64_t points = 0;
    /// Signed distance to the outline, positive inside. One value a cell.
    std::vector<float> distance;
    /// Cells by channels: leading principal components of the smoothed features, of decreasing
    /// variance, the first with variance 1. No columns without content.
    core::MatrixF channels;
    /// Points on the outline (of the alpha shape); no rows where the distance stands for it.
    core::MatrixD border;

    bool inside(std::int64_t cell) const { return distance[cell] > 0; }
};

struct RasterOptions {
    std::int64_t cells = 80;           ///< along the longer side of the tissue
    std::int64_t most_features = 500;  ///< of largest variance, that enter the channels
    std::int32_t channels = 8;
    Outline outline = Outline::Distance;
};

/// Tissue of a point set (n by 2): the union of discs around the points, closed over gaps of a
/// pitch, eroded so that it ends half a pitch outside the outermost points; pieces below 2 % of
/// the largest are left out. ConfigError naming `what` for fewer than 20 distinct points, points
/// on one line, or coordinates that are not finite. Local.
SectionRaster rasterise(const core::MatrixD& points, const RasterOptions& options,
                        const std::string& what);

/// The outline as line segments, one a row: x, y, x, y (marching squares on the distance).
core::MatrixD outline(const SectionRaster& raster);

/// Gathers the content of a section from its rows in two passes, so that they may be streamed:
/// first all rows through `measure`, then all through `add`, then `finish`. Rows are scaled to
/// equal totals and log-transformed; the logarithm of the total is one feature more. Or all rows
/// at once, as they are, through `add_values`, then `finish`. Local.
class SectionContent {
  public:
    SectionContent(SectionRaster& raster, const core::MatrixD& points, std::int32_t features,
                   const RasterOptions& options);
    void measure(const core::CsrView& rows);
    /// `first`: number of the first of these rows.
    void add(std::int64_t first, const core::CsrView& rows);
    /// All points by features.
    void add_values(const core::MatrixF& rows);
    /// Sets raster.channels.
    void finish();

  private:
    void choose();
    /// The four cells around a row's point and its share of each.
    struct Corners {
        std::array<std::int64_t, 4> cell;
        std::array<double, 4> share;
    };
    Corners corners(std::int64_t row) const;

    SectionRaster& raster_;
    const core::MatrixD& points_;
    RasterOptions options_;
    double target_ = 0;  ///< mean total of the rows that have any
    double totals_ = 0;
    std::int64_t rows_ = 0;
    std::vector<double> sum_;
    std::vector<double> square_;
    std::vector<std::int32_t> column_;  ///< of the chosen features, -1 for the others
    std::int32_t chosen_ = 0;
    core::MatrixF values_;   ///< cells by chosen features and the total
    core::MatrixF weights_;  ///< cells by 1
};

}  // namespace smeta::align
