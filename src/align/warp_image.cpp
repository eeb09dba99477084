#include "smeta/align/warp_image.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "smeta/align/affine.hpp"
#include "smeta/align/alignment.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/image_file.hpp"

namespace smeta::align {

namespace {

constexpr std::int64_t kChannels = 4;
constexpr double kMostPixels = 0x1p28;  // 1 GiB of samples

/// Points all around a rectangle from the origin, corners included.
core::MatrixD edge_points(double width, double height) {
    constexpr int kSteps = 256;  // a side: a bent edge between them stays within the margin
    core::MatrixD points(4 * kSteps, 2);
    for (int k = 0; k < kSteps; ++k) {
        const double share = static_cast<double>(k) / kSteps;
        points.row(4 * k) << share * width, 0.0;
        points.row(4 * k + 1) << width, share * height;
        points.row(4 * k + 2) << (1 - share) * width, height;
        points.row(4 * k + 3) << 0.0, (1 - share) * height;
    }
    return points;
}

/// The colour at column u, row v of the image, counted from its corner; left alone off the image.
void sample(const io::Image& image, double u, double v, std::uint8_t* rgba) {
    if (!(u >= 0 && v >= 0 && u <= static_cast<double>(image.width) &&
          v <= static_cast<double>(image.height)))
        return;
    const auto split = [](double at, std::int64_t size, std::array<std::int64_t, 2>& pixel) {
        const double from_centre = std::clamp(at - 0.5, 0.0, static_cast<double>(size - 1));
        pixel[0] = static_cast<std::int64_t>(from_centre);
        pixel[1] = std::min(pixel[0] + 1, size - 1);
        return from_centre - static_cast<double>(pixel[0]);
    };
    std::array<std::int64_t, 2> columns{};
    std::array<std::int64_t, 2> rows{};
    const double right = split(u, image.width, columns);
    const double below = split(v, image.height, rows);
    const bool grey = image.channels < 3;
    for (std::int64_t c = 0; c < 3; ++c) {
        const auto at = [&](int row, int column) {
            return static_cast<double>(
                image.values[(rows[row] * image.width + columns[column]) * image.channels +
                             (grey ? 0 : c)]);
        };
        const double top = at(0, 0) * (1 - right) + at(0, 1) * right;
        const double bottom = at(1, 0) * (1 - right) + at(1, 1) * right;
        rgba[c] = static_cast<std::uint8_t>(std::lround(top * (1 - below) + bottom * below));
    }
    rgba[3] = 255;
}

}  // namespace

PlacedImage warp_image(const SpatialTransform& transform, const io::Image& image, double scale) {
    if (!(scale > 0) || !std::isfinite(scale))
        throw core::ConfigError(
            fmt::format("--image-scale: expected pixels of the image per unit "
                        "of the imaging coordinates, above 0; found {}",
                        scale));
    const core::MatrixD edge =
        apply(transform, edge_points(static_cast<double>(image.width) / scale,
                                     static_cast<double>(image.height) / scale));
    PlacedImage result;
    result.scale = scale / std::sqrt(std::abs(determinant(transform.affine)));
    const Eigen::RowVector2d low = edge.colwise().minCoeff();
    const Eigen::RowVector2d extent = edge.colwise().maxCoeff() - low;
    // Whole pixels; what rounding made of a whole number is one.
    const auto pixels = [&](double length) {
        return std::max(1.0, std::ceil(length * result.scale - 1e-6));
    };
    const double width = pixels(extent[0]);
    const double height = pixels(extent[1]);
    if (!(width * height <= kMostPixels))
        throw core::ConfigError(
            fmt::format("the image would have {:.0f} x {:.0f} pixels in the spots' frame, more "
                        "than {:.0f}: give a smaller one, and its --image-scale",
                        width, height, kMostPixels));
    result.x0 = low[0];
    result.y0 = low[1];
    result.image.width = static_cast<std::int64_t>(width);
    result.image.height = static_cast<std::int64_t>(height);
    result.image.channels = kChannels;
    result.image.values.assign(result.image.width * result.image.height * kChannels, 0);
#pragma omp parallel for schedule(dynamic, 16) num_threads(core::threads())
    for (std::int64_t row = 0; row < result.image.height; ++row) {
        core::MatrixD centres(result.image.width, 2);
        for (std::int64_t column = 0; column < result.image.width; ++column)
            centres.row(column) << result.x0 + (static_cast<double>(column) + 0.5) / result.scale,
                result.y0 + (static_cast<double>(row) + 0.5) / result.scale;
        const core::MatrixD from = scale * apply_inverse(transform, centres);
        std::uint8_t* rgba = result.image.values.data() + row * result.image.width * kChannels;
        for (std::int64_t column = 0; column < result.image.width; ++column)
            sample(image, from(column, 0), from(column, 1), rgba + column * kChannels);
    }
    return result;
}

PlacedImage apply_to_image(const atlas::ShardedAtlas& atlas, const std::string& sample,
                           const std::string& image, double scale, const std::string& out) {
    const Alignment alignment = read_alignment(atlas.stage_file(sample, atlas::kAlign));
    PlacedImage result = warp_image(alignment.transform, io::read_image(image).image, scale);
    io::write_png(out, result.image);
    result.image.values.clear();
    return result;
}

}  // namespace smeta::align
