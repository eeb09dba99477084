#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/io/image_file.hpp"

namespace smeta::io::detail {

/// A block of the pixels of an image.
struct PixelBlock {
    std::int64_t x = 0;
    std::int64_t y = 0;
    std::int64_t width = 0;
    std::int64_t height = 0;
};

/// What the file says of its image, and how far it is to be reduced.
struct ImageRequest {
    std::string path;
    std::int64_t height = 0;
    std::int64_t width = 0;
    std::int64_t channels = 0;  ///< 1 or 3
    std::int64_t longest_side = 0;
};

/// Means over boxes of an image that arrives in blocks that do not overlap, in any order.
/// FormatError in the constructor for sizes that the file cannot hold, or that are too large.
class BoxMeans {
  public:
    explicit BoxMeans(const ImageRequest& request);
    /// `values`: block.height x block.width x channels.
    void add(const PixelBlock& block, const std::uint8_t* values);
    ReducedImage finish();

  private:
    ReducedImage result_;
    std::vector<std::uint32_t> sums_;  ///< empty when nothing is reduced
};

ReducedImage read_jpeg(const std::string& path, std::int64_t longest_side);
ReducedImage read_tiff(const std::string& path, std::int64_t longest_side);

}  // namespace smeta::io::detail
