#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "smeta/align/histology.hpp"
#include "smeta/core/error.hpp"

#include "blur.hpp"

namespace smeta::align {

namespace {

constexpr float kTissueCell = 0.5F;  // share of a cell from which on it is tissue

/// Pixels of an image that a cell's square covers; none off the image.
struct PixelRange {
    std::int64_t first = 0;
    std::int64_t end = 0;
};

PixelRange pixels_of(double centre, double side, double scale, std::int64_t pixels) {
    const double low = (centre - 0.5 * side) * scale;
    const double high = (centre + 0.5 * side) * scale;
    if (!(centre * scale >= 0 && centre * scale < static_cast<double>(pixels))) return {};
    const auto first = static_cast<std::int64_t>(std::max(0.0, std::round(low)));
    const auto end =
        static_cast<std::int64_t>(std::min(static_cast<double>(pixels), std::round(high)));
    if (end > first) return {first, end};
    const auto at = static_cast<std::int64_t>(centre * scale);  // cells below a pixel
    return {at, at + 1};
}

/// Sums over the pixels of one cell.
struct CellSums {
    double tissue = 0;
    double first = 0;
    double second = 0;
    double pixels = 0;
};

class CellReader {
  public:
    CellReader(const io::Image& image, const TissueMask& mask) : image_(image), mask_(mask) {}

    CellSums operator()(const PixelRange& columns, const PixelRange& rows) const {
        CellSums sums;
        for (std::int64_t y = rows.first; y < rows.end; ++y)
            for (std::int64_t x = columns.first; x < columns.end; ++x)
                add(y * image_.width + x, sums);
        return sums;
    }

  private:
    void add(std::int64_t p, CellSums& sums) const {
        const std::uint8_t* v = image_.values.data() + p * image_.channels;
        ++sums.pixels;
        if (mask_.found()) sums.tissue += mask_.tissue[p];
        if (image_.channels == 1) {
            sums.first += 1 - v[0] / 255.0;
            return;
        }
        const Stains found = stains({v[0], v[1], v[2]});
        sums.first += found.haematoxylin;
        sums.second += found.eosin;
    }

    const io::Image& image_;
    const TissueMask& mask_;
};

/// The grid of the points that stand for the tissue: as far as the image goes around the spots. Its
/// cells are a little larger than those of the raster to come, so that its discs end half of them
/// outside.
RasterGrid point_grid(const SectionRaster& spots, const io::SectionImage& image) {
    const RasterGrid& coarse = spots.grid;
    constexpr double kRoom = 0.5;  // of the longer side: tissue beyond the spots
    const double room = kRoom * coarse.cell * static_cast<double>(std::max(coarse.nx, coarse.ny));
    const auto span = [&](double low, double high, std::int64_t pixels) {
        const double end = static_cast<double>(pixels) / image.scale;
        return std::array<double, 2>{std::clamp(low - room, 0.0, end),
                                     std::clamp(high + room, 0.0, end)};
    };
    const auto x = span(coarse.x0, coarse.x(coarse.nx - 1), image.image.width);
    const auto y = span(coarse.y0, coarse.y(coarse.ny - 1), image.image.height);
    RasterGrid grid;
    grid.cell = 1.5 * coarse.cell;
    grid.x0 = x[0] + 0.5 * grid.cell;
    grid.y0 = y[0] + 0.5 * grid.cell;
    grid.nx = static_cast<std::int64_t>((x[1] - x[0]) / grid.cell);
    grid.ny = static_cast<std::int64_t>((y[1] - y[0]) / grid.cell);
    return grid;
}

/// Cells of tissue that are connected with tissue under the spots.
std::vector<std::int64_t> tissue_of_spots(const SectionRaster& spots, const RasterGrid& grid,
                                          const std::vector<float>& tissue) {
    const auto under_spots = [&](std::int64_t i, std::int64_t j) {
        const auto a = std::lround((grid.x(i) - spots.grid.x0) / spots.grid.cell);
        const auto b = std::lround((grid.y(j) - spots.grid.y0) / spots.grid.cell);
        return a >= 0 && b >= 0 && a < spots.grid.nx && b < spots.grid.ny &&
               spots.inside(b * spots.grid.nx + a);
    };
    std::vector<std::uint8_t> seen(grid.size(), 0);
    std::vector<std::int64_t> cells;
    const auto visit = [&](std::int64_t c) {
        if (seen[c] || tissue[c] < kTissueCell) return;
        seen[c] = 1;
        cells.push_back(c);
    };
    for (std::int64_t j = 0; j < grid.ny; ++j)
        for (std::int64_t i = 0; i < grid.nx; ++i)
            if (under_spots(i, j)) visit(j * grid.nx + i);
    for (std::size_t k = 0; k < cells.size(); ++k) {
        const std::int64_t c = cells[k];
        if (c % grid.nx > 0) visit(c - 1);
        if (c % grid.nx + 1 < grid.nx) visit(c + 1);
        if (c >= grid.nx) visit(c - grid.nx);
        if (c + grid.nx < grid.size()) visit(c + grid.nx);
    }
    std::sort(cells.begin(), cells.end());
    return cells;
}

}  // namespace

ImageLayers rasterise_image(const io::SectionImage& image, const TissueMask& mask,
                            const RasterGrid& grid) {
    const bool colour = image.image.channels > 1;
    ImageLayers layers;
    layers.tissue.assign(grid.size(), -1.0F);
    layers.stains = core::MatrixF::Zero(grid.size(), colour ? 2 : 1);
    const CellReader read(image.image, mask);
    for (std::int64_t j = 0; j < grid.ny; ++j) {
        const PixelRange rows = pixels_of(grid.y(j), grid.cell, image.scale, image.image.height);
        for (std::int64_t i = 0; i < grid.nx; ++i) {
            const CellSums sums =
                read(pixels_of(grid.x(i), grid.cell, image.scale, image.image.width), rows);
            if (sums.pixels == 0) continue;
            const std::int64_t c = j * grid.nx + i;
            layers.tissue[c] = static_cast<float>(sums.tissue / sums.pixels);
            layers.stains(c, 0) = static_cast<float>(sums.first / sums.pixels);
            if (colour) layers.stains(c, 1) = static_cast<float>(sums.second / sums.pixels);
        }
    }
    return layers;
}

SectionRaster image_section(const SectionRaster& spots, const io::SectionImage& image,
                            const TissueMask& mask, const RasterOptions& options,
                            const std::string& what) {
    const RasterGrid grid = point_grid(spots, image);
    const std::vector<float> tissue = rasterise_image(image, mask, grid).tissue;
    const std::vector<std::int64_t> cells = tissue_of_spots(spots, grid, tissue);
    core::MatrixD points(cells.size(), 2);
    for (std::size_t k = 0; k < cells.size(); ++k)
        points.row(static_cast<Eigen::Index>(k)) << grid.x(cells[k] % grid.nx),
            grid.y(cells[k] / grid.nx);
    SectionRaster section = rasterise(points, options, what);
    section.pitch = spots.pitch;
    section.points = spots.points;
    return section;
}

void join_stains(SectionRaster& raster, const ImageLayers& layers, double weight) {
    const RasterGrid& grid = raster.grid;
    const Eigen::Index count = layers.stains.cols();
    core::MatrixF known = core::MatrixF::Zero(grid.size(), 1);
    for (std::int64_t c = 0; c < grid.size(); ++c) known(c, 0) = layers.tissue[c] >= 0 ? 1 : 0;
    const double sigma = detail::content_blur(raster);
    core::MatrixF values = detail::blur(layers.stains, grid, sigma);
    known = detail::blur(known, grid, sigma);
    std::vector<std::int64_t> cells;
    constexpr float kLeastKnown = 0.05F;
    for (std::int64_t c = 0; c < grid.size(); ++c) {
        if (known(c, 0) < kLeastKnown) continue;
        values.row(c) /= known(c, 0);
        if (raster.inside(c)) cells.push_back(c);
    }
    if (cells.size() < 10) return;
    const auto n = static_cast<double>(cells.size());
    core::MatrixF joined(grid.size(), raster.channels.cols() + count);
    if (raster.channels.cols() > 0) joined.leftCols(raster.channels.cols()) = raster.channels;
    for (Eigen::Index k = 0; k < count; ++k) {
        double mean = 0;
        double square = 0;
        for (const std::int64_t c : cells) mean += values(c, k) / n;
        for (const std::int64_t c : cells)
            square += (values(c, k) - mean) * (values(c, k) - mean) / n;
        const double unit = square > 1e-12 ? weight / std::sqrt(square) : 0.0;
        for (std::int64_t c = 0; c < grid.size(); ++c)
            joined(c, raster.channels.cols() + k) =
                known(c, 0) < kLeastKnown ? 0.0F : static_cast<float>(unit * (values(c, k) - mean));
    }
    raster.channels = std::move(joined);
}

}  // namespace smeta::align
