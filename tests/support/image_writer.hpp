#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "smeta/io/image.hpp"

namespace smeta::test {

/// How write_tiff stores an image.
struct TiffKind {
    bool lzw = false;
    bool deflate = false;
    bool jpeg = false;  ///< of RGB: YCbCr, lossy
    bool planar = false;
    bool sixteen_bits = false;   ///< each sample times 257
    bool white_is_zero = false;  ///< of grey images
    bool big_endian = false;
    bool big_tiff = false;
    std::uint32_t tile = 0;  ///< side of the tiles; 0 = strips
    std::uint32_t rows_per_strip = 100;
};

extern const std::vector<std::pair<std::string, TiffKind>> kTiffKinds;

void write_tiff(const std::string& path, const io::Image& image, const TiffKind& kind);
/// A TIFF of that size, in strips of a row that have no data.
void write_empty_tiff(const std::string& path, std::uint32_t width, std::uint32_t height);

enum class JpegKind { Baseline, Progressive, Cmyk };
/// Quality 95. Cmyk: of four channels.
void write_jpeg(const std::string& path, const io::Image& image, JpegKind kind);

}  // namespace smeta::test
