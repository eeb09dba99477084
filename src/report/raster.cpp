#include "raster.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

namespace smeta::report {
namespace {

constexpr std::size_t kProbes = 400;    // spots whose neighbourhood decides the shape
constexpr double kFirstShell = 1.25;    // neighbours of a lattice lie within this times the spacing
constexpr double kLatticeOrder = 0.85;  // bond order above which spots count as a lattice
constexpr double kDiscFill = 0.48;      // radius of a disc over the spacing
constexpr double kSeam = 0.3;  // pixels by which tiles overlap, against hairlines between them

double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// Indices of at most kProbes spots, evenly through the list.
std::vector<std::size_t> probes(std::size_t spots) {
    std::vector<std::size_t> result;
    const std::size_t step = std::max<std::size_t>(1, spots / kProbes);
    for (std::size_t i = 0; i < spots; i += step) result.push_back(i);
    return result;
}

}  // namespace

SpotShape spot_shape(std::span<const double> x, std::span<const double> y) {
    SpotShape shape;
    if (x.size() < 2) return shape;
    const auto chosen = probes(x.size());
    std::vector<double> nearest;
    for (const auto i : chosen) {
        double best = std::numeric_limits<double>::infinity();
        for (std::size_t j = 0; j < x.size(); ++j) {
            const double d = std::hypot(x[i] - x[j], y[i] - y[j]);
            if (d > 0) best = std::min(best, d);
        }
        if (!std::isinf(best)) nearest.push_back(best);
    }
    if (nearest.empty()) return shape;
    shape.spacing = median(nearest);

    // Bond orientational order: on a lattice all bonds agree modulo 60 or 90 degrees.
    std::complex<double> six = 0;
    std::complex<double> four = 0;
    double bonds = 0;
    for (const auto i : chosen)
        for (std::size_t j = 0; j < x.size(); ++j) {
            const double d = std::hypot(x[i] - x[j], y[i] - y[j]);
            if (d == 0 || d > kFirstShell * shape.spacing) continue;
            const double angle = std::atan2(y[j] - y[i], x[j] - x[i]);
            six += std::polar(1.0, 6 * angle);
            four += std::polar(1.0, 4 * angle);
            ++bonds;
        }
    const double order_six = std::abs(six) / bonds;
    const double order_four = std::abs(four) / bonds;
    if (std::max(order_six, order_four) < kLatticeOrder) return shape;
    shape.kind = order_six > order_four ? SpotShape::Kind::Hexagon : SpotShape::Kind::Square;
    shape.angle = order_six > order_four ? std::arg(six) / 6 : std::arg(four) / 4;
    return shape;
}

Raster::Raster(std::int64_t width, std::int64_t height) {
    image_.width = std::max<std::int64_t>(width, 1);
    image_.height = std::max<std::int64_t>(height, 1);
    image_.channels = 4;
    image_.values.assign(image_.width * image_.height * 4, 0);
}

void Raster::blend(std::int64_t x, std::int64_t y, Colour colour, double coverage) {
    std::uint8_t* pixel = image_.values.data() + (y * image_.width + x) * 4;
    const double old_alpha = pixel[3] / 255.0;
    const double alpha = coverage + old_alpha * (1 - coverage);
    const auto mix = [&](std::uint8_t under, std::uint8_t over) {
        const double value = (over * coverage + under * old_alpha * (1 - coverage)) / alpha;
        return static_cast<std::uint8_t>(std::lround(value));
    };
    pixel[0] = mix(pixel[0], colour.red);
    pixel[1] = mix(pixel[1], colour.green);
    pixel[2] = mix(pixel[2], colour.blue);
    pixel[3] = static_cast<std::uint8_t>(std::lround(alpha * 255));
}

void Raster::draw(const SpotShape& shape, double x, double y, double spacing, Colour colour) {
    struct Normal {
        double x;
        double y;
    };
    std::array<Normal, 6> normals{};
    const int sides = shape.kind == SpotShape::Kind::Hexagon  ? 6
                      : shape.kind == SpotShape::Kind::Square ? 4
                                                              : 0;
    for (int k = 0; k < sides; ++k) {
        const double angle = shape.angle + 2 * std::numbers::pi * k / sides;
        normals[k] = {std::cos(angle), std::sin(angle)};
    }
    // Distance from the centre to a side (or the rim of a disc); a dot never vanishes.
    const double reach = std::max(sides == 0 ? kDiscFill * spacing : spacing / 2 + kSeam, 0.7);
    const double extent = reach * 1.5 + 1;
    const auto clamp = [](double value, std::int64_t size) {
        return std::clamp<std::int64_t>(static_cast<std::int64_t>(value), 0, size - 1);
    };
    for (auto v = clamp(y - extent, image_.height); v <= clamp(y + extent, image_.height); ++v)
        for (auto u = clamp(x - extent, image_.width); u <= clamp(x + extent, image_.width); ++u) {
            const double dx = static_cast<double>(u) + 0.5 - x;
            const double dy = static_cast<double>(v) + 0.5 - y;
            double inside = reach - std::hypot(dx, dy);
            if (sides > 0) {
                inside = reach;
                for (int k = 0; k < sides; ++k)
                    inside = std::min(inside, reach - dx * normals[k].x - dy * normals[k].y);
            }
            const double coverage = std::clamp(inside + 0.5, 0.0, 1.0);
            if (coverage > 0) blend(u, v, colour, coverage);
        }
}

}  // namespace smeta::report
