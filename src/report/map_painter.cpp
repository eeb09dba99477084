#include "map_painter.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace smeta::report {
namespace {

constexpr double kPixelsPerUnit = 2.5;  // picture resolution over the drawing's, for print
constexpr double kHistologyOpacity = 0.35;
constexpr std::int64_t kHistologyPixels = 420;  // larger side of the embedded tissue image

/// The part [x0, x1) x [y0, y1) of an image in grey, at most kHistologyPixels wide or high.
io::Image grey_part(const io::Image& image, std::int64_t x0, std::int64_t y0, std::int64_t x1,
                    std::int64_t y1) {
    io::Image part{y1 - y0, x1 - x0, 1, {}};
    part.values.reserve(part.height * part.width);
    for (std::int64_t y = y0; y < y1; ++y)
        for (std::int64_t x = x0; x < x1; ++x) {
            const auto* pixel = image.values.data() + (y * image.width + x) * image.channels;
            const double grey = image.channels >= 3
                                    ? 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]
                                    : pixel[0];
            part.values.push_back(static_cast<std::uint8_t>(std::lround(grey)));
        }
    const auto larger = std::max(part.height, part.width);
    return larger > kHistologyPixels
               ? io::downsample(part, (larger + kHistologyPixels - 1) / kHistologyPixels)
               : part;
}

/// 1, 2 or 5 times a power of ten, at most `limit`.
double round_length(double limit) {
    const double power = std::pow(10.0, std::floor(std::log10(limit)));
    return limit >= 5 * power ? 5 * power : limit >= 2 * power ? 2 * power : power;
}

std::string length_label(const SampleMap& map, double length) {
    if (!map.microns_per_unit)
        return fmt::format("{:g} {}", length, map.unit.empty() ? "units" : map.unit);
    return length >= 1000 ? fmt::format("{:g} mm", length / 1000)
                          : fmt::format("{:g} \u00b5m", length);
}

}  // namespace

MapPainter::MapPainter(const SampleMap& map) : map_(map), shape_(spot_shape(map.x, map.y)) {
    if (map.x.empty()) return;
    const auto [x0, x1] = std::minmax_element(map.x.begin(), map.x.end());
    const auto [y0, y1] = std::minmax_element(map.y.begin(), map.y.end());
    const double margin = 0.6 * shape_.spacing;
    left_ = *x0 - margin;
    top_ = *y0 - margin;
    width_ = *x1 - *x0 + 2 * margin;
    height_ = *y1 - *y0 + 2 * margin;
}

double MapPainter::aspect() const {
    return height_ / width_;
}

Box MapPainter::placed_in(const Box& box) const {
    const double scale = std::min(box.width / width_, box.height / height_);
    return {box.x + (box.width - width_ * scale) / 2, box.y + (box.height - height_ * scale) / 2,
            width_ * scale, height_ * scale};
}

Point MapPainter::at(const Box& box, double x, double y) const {
    const Box place = placed_in(box);
    const double scale = place.width / width_;
    return {place.x + (x - left_) * scale, place.y + (y - top_) * scale};
}

void MapPainter::draw(Svg& svg, const Box& box, const std::function<Colour(std::int64_t)>& colour,
                      ScaleBar scale_bar) const {
    const double scale = std::min(box.width / width_, box.height / height_);
    const Box place = placed_in(box);
    if (map_.histology) draw_histology(svg, place);
    const double pixels = scale * kPixelsPerUnit;
    Raster raster(static_cast<std::int64_t>(std::ceil(width_ * pixels)),
                  static_cast<std::int64_t>(std::ceil(height_ * pixels)));
    for (std::int64_t i = 0; i < map_.spots(); ++i)
        raster.draw(shape_, (map_.x[i] - left_) * pixels, (map_.y[i] - top_) * pixels,
                    shape_.spacing * pixels, colour(i));
    svg.image(place.x, place.y, static_cast<double>(raster.image().width) / kPixelsPerUnit,
              static_cast<double>(raster.image().height) / kPixelsPerUnit, raster.image());
    if (scale_bar == ScaleBar::Drawn)
        draw_scale_bar(svg, {place.x, box.y + box.height, place.width, scale});
}

void MapPainter::draw_histology(Svg& svg, const Box& place) const {
    const auto& histology = *map_.histology;
    const double density = histology.pixels_per_unit;
    const auto pixel = [&](double coordinate, std::int64_t size) {
        return std::clamp<std::int64_t>(std::llround(coordinate * density), 0, size);
    };
    const auto x0 = pixel(left_, histology.image.width);
    const auto x1 = pixel(left_ + width_, histology.image.width);
    const auto y0 = pixel(top_, histology.image.height);
    const auto y1 = pixel(top_ + height_, histology.image.height);
    if (x1 <= x0 || y1 <= y0) return;
    const double scale = place.width / width_ / density;
    const auto at = [&](std::int64_t x, double origin, double start) {
        return start + (static_cast<double>(x) - origin * density) * scale;
    };
    svg.image(at(x0, left_, place.x), at(y0, top_, place.y), static_cast<double>(x1 - x0) * scale,
              static_cast<double>(y1 - y0) * scale, grey_part(histology.image, x0, y0, x1, y1),
              kHistologyOpacity);
}

void MapPainter::draw_scale_bar(Svg& svg, const Box& place) const {
    const double scale = place.height;  // drawing units per coordinate unit
    const double microns = map_.microns_per_unit.value_or(1);
    const double length = round_length(width_ * microns / 3);
    const double drawn = length / microns * scale;
    const double y = place.y + 10;
    svg.line({place.x, y}, {place.x + drawn, y}, "ink", 2);
    svg.text(place.x + drawn + 6, y + 3.5, length_label(map_, length), {.size = 10});
}

}  // namespace smeta::report
