#pragma once

#include <cstdint>
#include <string>

#include "smeta/io/image.hpp"

namespace smeta::io {

/// An image as read_image reads it, and how much smaller than the file's it is.
struct ReducedImage {
    Image image;              ///< 1 channel (grey) or 3 (RGB)
    std::int64_t factor = 1;  ///< pixels of the file along a side of one of the image's
    std::int64_t height = 0;  ///< of the file's image
    std::int64_t width = 0;
};

/// Reads a PNG, JPEG or TIFF (also BigTIFF and .svs: the first image), told by its content; 8 or 16
/// bits, grey, RGB, palettes, YCbCr; transparent pixels lie on white. The image is reduced by means
/// over boxes of a whole number of pixels (`downsample`) until its longer side is at most
/// `longest_side` (0: as it is). TIFF is read strip by strip or tile by tile and JPEG row by row:
/// beside the result there is memory only for one of these, for a progressive JPEG for its
/// coefficients, for a PNG for the whole. Pixels are as stored: tags that turn an image (EXIF,
/// TIFF's orientation) are not obeyed, since spots are given in stored pixels. IoError; FormatError
/// naming the file for other, damaged or truncated files and for sizes that the file cannot hold.
/// Local.
ReducedImage read_image(const std::string& path, std::int64_t longest_side = 0);

}  // namespace smeta::io
