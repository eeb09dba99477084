#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/io/annotated.hpp"

namespace smeta::io {

/// 8-bit image, H x W x channels, row-major, channels interleaved: 1 = grey, 3 = RGB, 4 = RGBA.
struct Image {
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::int64_t channels = 0;
    std::vector<std::uint8_t> values;
    bool operator==(const Image&) const = default;
};

/// Reads a PNG; palettes become RGB, 16-bit samples 8-bit, grey with alpha RGBA. At most 1 GiB of
/// samples. Throws IoError or FormatError. Local.
Image read_png(const std::string& path);

/// Writes a PNG (no time stamp: equal images give equal files). Throws IoError. Local.
void write_png(const std::string& path, const Image& image);
/// The same file in memory. Local.
std::vector<std::uint8_t> encode_png(const Image& image);

/// Mean over boxes of factor x factor samples (smaller at the right and lower edges), rounded to
/// nearest.
Image downsample(const Image& image, std::int64_t factor);

/// The H x W x channels array of uns["spatial"][sample]["images"] and back (InvariantError for
/// another shape).
NdArray<std::uint8_t> to_array(const Image& image);
Image to_image(const NdArray<std::uint8_t>& array);

}  // namespace smeta::io
