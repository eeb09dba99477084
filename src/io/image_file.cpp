#include "smeta/io/image_file.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

#include "image_file_impl.hpp"

namespace smeta::io {

namespace detail {

namespace {

constexpr std::int64_t kLongestSide = 1'000'000;
constexpr std::int64_t kMostPixels = std::int64_t{1} << 34;
constexpr std::int64_t kLargestImage = std::int64_t{1} << 30;  // bytes
// Deflate packs at most 1,032 to 1, LZW 1,400 to 1; slides leave out tiles without tissue.
constexpr std::int64_t kMostPixelsPerByte = 1032 * 24;
constexpr std::int64_t kSmallImage = std::int64_t{1} << 20;
constexpr std::int64_t kLargestFactor = 4096;  // sums of a box stay below 2^32

void check_size(const ImageRequest& request) {
    const auto refuse = [&](const std::string& expected, const std::string& found) {
        throw core::FormatError({request.path, "", expected, found, "is the file damaged?"});
    };
    const std::string size = fmt::format("{} x {} pixels", request.width, request.height);
    if (request.width < 1 || request.height < 1) refuse("an image with pixels", size);
    if (std::max(request.width, request.height) > kLongestSide ||
        request.width * request.height > kMostPixels)
        refuse("an image of at most 17 gigapixels and 1,000,000 pixels along a side", size);
    std::error_code code;
    const auto stored = static_cast<std::int64_t>(std::filesystem::file_size(request.path, code));
    const std::int64_t pixels = request.width * request.height;
    if (!code && pixels > kSmallImage && pixels / kMostPixelsPerByte > stored)
        refuse("as many bytes as the image needs", fmt::format("{} in {} bytes", size, stored));
}

std::int64_t factor_of(const ImageRequest& request) {
    if (request.longest_side == 0) return 1;
    const std::int64_t side = std::max(request.width, request.height);
    return (side + request.longest_side - 1) / request.longest_side;
}

}  // namespace

BoxMeans::BoxMeans(const ImageRequest& request) {
    check_size(request);
    const std::int64_t factor = factor_of(request);
    core::check(factor <= kLargestFactor, "an image is not reduced to next to nothing");
    result_.factor = factor;
    result_.height = request.height;
    result_.width = request.width;
    Image& image = result_.image;
    image.height = (request.height + factor - 1) / factor;
    image.width = (request.width + factor - 1) / factor;
    image.channels = request.channels;
    const std::int64_t bytes = image.height * image.width * image.channels;
    if (bytes > kLargestImage)
        throw core::FormatError({request.path, "", "an image of at most 1 GiB",
                                 fmt::format("{} x {} pixels", request.width, request.height),
                                 "save it at a lower resolution"});
    if (factor == 1)
        image.values.resize(bytes);
    else
        sums_.resize(bytes);
}

void BoxMeans::add(const PixelBlock& block, const std::uint8_t* values) {
    Image& image = result_.image;
    const std::int64_t channels = image.channels;
    for (std::int64_t y = 0; y < block.height; ++y) {
        const std::uint8_t* row = values + y * block.width * channels;
        const std::int64_t to = (block.y + y) / result_.factor * image.width;
        if (sums_.empty()) {
            std::copy_n(row, block.width * channels,
                        image.values.begin() + (to + block.x) * channels);
            continue;
        }
        std::int64_t box = block.x / result_.factor;
        std::int64_t left = (box + 1) * result_.factor - block.x;
        for (std::int64_t x = 0; x < block.width; ++x) {
            std::uint32_t* sum = sums_.data() + (to + box) * channels;
            for (std::int64_t c = 0; c < channels; ++c) sum[c] += row[x * channels + c];
            if (--left == 0) {
                ++box;
                left = result_.factor;
            }
        }
    }
}

ReducedImage BoxMeans::finish() {
    Image& image = result_.image;
    if (sums_.empty()) return std::move(result_);
    const std::int64_t factor = result_.factor;
    image.values.resize(sums_.size());
    for (std::int64_t y = 0; y < image.height; ++y)
        for (std::int64_t x = 0; x < image.width; ++x) {
            const auto count =
                static_cast<std::uint32_t>(std::min(factor, result_.width - x * factor) *
                                           std::min(factor, result_.height - y * factor));
            for (std::int64_t c = 0; c < image.channels; ++c) {
                const std::int64_t at = (y * image.width + x) * image.channels + c;
                image.values[at] = static_cast<std::uint8_t>((sums_[at] + count / 2) / count);
            }
        }
    return std::move(result_);
}

}  // namespace detail

namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

/// Transparent pixels lie on white, as glass does.
Image without_alpha(const Image& image) {
    if (image.channels != 4) return image;
    Image result{image.height, image.width, 3, {}};
    result.values.reserve(image.height * image.width * 3);
    for (std::size_t p = 0; p < image.values.size(); p += 4)
        for (std::size_t c = 0; c < 3; ++c) {
            const unsigned alpha = image.values[p + 3];
            result.values.push_back(static_cast<std::uint8_t>(
                (image.values[p + c] * alpha + 255 * (255 - alpha) + 127) / 255));
        }
    return result;
}

ReducedImage read_png_reduced(const std::string& path, std::int64_t longest_side) {
    const Image image = without_alpha(read_png(path));
    detail::BoxMeans means({path, image.height, image.width, image.channels, longest_side});
    means.add({0, 0, image.width, image.height}, image.values.data());
    return means.finish();
}

[[noreturn]] void refuse_kind(const std::string& path, const std::string& start) {
    std::string found = "another kind of file";
    if (start.empty()) found = "an empty file";
    if (start.starts_with("\x89HDF"sv)) found = "an HDF5 file";
    if (start.starts_with("%PDF"sv)) found = "a PDF";
    if (start.starts_with("GIF8"sv)) found = "a GIF";
    if (start.starts_with("BM"sv)) found = "a BMP";
    if (start.starts_with("\xFF\x4F\xFF\x51"sv) || start.find("jP  ") == 4) found = "a JPEG 2000";
    throw core::FormatError({path, "", "a PNG, JPEG or TIFF image", found,
                             "save it as one of these; slides in formats of their own with the "
                             "scanner's viewer, bfconvert or QuPath"});
}

}  // namespace

ReducedImage read_image(const std::string& path, std::int64_t longest_side) {
    core::check(longest_side >= 0, "a longest side of 0 (as it is) or more");
    std::error_code code;
    if (fs::is_directory(path, code))
        throw core::FormatError({path, "", "a PNG, JPEG or TIFF image", "a folder", ""});
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) throw core::IoError::from_errno("open", path, errno);
    std::string start(12, '\0');
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(file.gcount()));
    file.close();
    if (start.starts_with("\x89PNG"sv)) return read_png_reduced(path, longest_side);
    if (start.starts_with("\xFF\xD8\xFF"sv)) return detail::read_jpeg(path, longest_side);
    if (start.starts_with("II*\0"sv) || start.starts_with("MM\0*"sv) ||
        start.starts_with("II+\0"sv) || start.starts_with("MM\0+"sv))
        return detail::read_tiff(path, longest_side);
    refuse_kind(path, start);
}

}  // namespace smeta::io
