#include "colour.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace smeta::report {
namespace {

constexpr Colour kMissing{0xD0, 0xD0, 0xD0};

// Okabe-Ito without black and its pale yellow first, then darker and lighter companions (Paul Tol's
// muted and light sets).
constexpr std::array<Colour, 24> kClusters = {{
    {0x00, 0x72, 0xB2}, {0xE6, 0x9F, 0x00}, {0x00, 0x9E, 0x73}, {0xD5, 0x5E, 0x00},
    {0x56, 0xB4, 0xE9}, {0xCC, 0x79, 0xA7}, {0xF0, 0xE4, 0x42}, {0x33, 0x22, 0x88},
    {0x88, 0x22, 0x55}, {0x99, 0x99, 0x33}, {0x44, 0x44, 0x44}, {0x99, 0xDD, 0xFF},
    {0xEE, 0x88, 0x66}, {0x22, 0x55, 0x33}, {0xFF, 0xAA, 0xBB}, {0xAA, 0x44, 0x99},
    {0xBB, 0xCC, 0x33}, {0x7F, 0x5F, 0x3F}, {0x44, 0xBB, 0x99}, {0x77, 0x77, 0xBB},
    {0x66, 0x11, 0x00}, {0x99, 0x99, 0x99}, {0xDD, 0xCC, 0x77}, {0x11, 0x44, 0x77},
}};

// matplotlib's viridis at 0, 1/16, ... 1.
constexpr std::array<Colour, 17> kViridis = {{
    {68, 1, 84},
    {72, 24, 106},
    {71, 45, 123},
    {66, 64, 134},
    {59, 82, 139},
    {51, 99, 141},
    {44, 114, 142},
    {38, 130, 142},
    {33, 145, 140},
    {31, 160, 136},
    {40, 174, 128},
    {63, 188, 115},
    {94, 201, 98},
    {132, 212, 75},
    {173, 220, 48},
    {216, 226, 25},
    {253, 231, 37},
}};

constexpr std::array<Colour, 9> kPurpleOrange = {{
    {0x54, 0x27, 0x88},
    {0x80, 0x73, 0xAC},
    {0xB2, 0xAB, 0xD2},
    {0xD8, 0xDA, 0xEB},
    {0xF7, 0xF7, 0xF7},
    {0xFE, 0xE0, 0xB6},
    {0xFD, 0xB8, 0x63},
    {0xE0, 0x82, 0x14},
    {0xB3, 0x58, 0x06},
}};

Colour interpolate(std::span<const Colour> stops, double t) {
    if (std::isnan(t)) return kMissing;
    const double position = std::clamp(t, 0.0, 1.0) * static_cast<double>(stops.size() - 1);
    const auto lower = std::min(static_cast<std::size_t>(position), stops.size() - 2);
    const double share = position - static_cast<double>(lower);
    const auto mix = [share](std::uint8_t a, std::uint8_t b) {
        return static_cast<std::uint8_t>(std::lround(a + share * (b - a)));
    };
    const Colour a = stops[lower];
    const Colour b = stops[lower + 1];
    return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

}  // namespace

std::string to_hex(Colour colour) {
    return fmt::format("#{:02x}{:02x}{:02x}", colour.red, colour.green, colour.blue);
}

Colour cluster_colour(std::int32_t cluster) {
    return cluster < 0 ? kMissing : kClusters[static_cast<std::size_t>(cluster) % kClusters.size()];
}

Colour label_on(Colour background) {
    const double luma = 0.299 * background.red + 0.587 * background.green + 0.114 * background.blue;
    return luma > 140 ? Colour{0x1a, 0x1a, 0x1a} : Colour{0xff, 0xff, 0xff};
}

Colour viridis(double t) {
    return interpolate(kViridis, t);
}
Colour diverging(double t) {
    return interpolate(kPurpleOrange, t);
}

}  // namespace smeta::report
