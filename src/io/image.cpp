#include "smeta/io/image.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <png.h>

#include "smeta/core/error.hpp"

namespace smeta::io {

namespace {

constexpr std::uint64_t kLargestImage = std::uint64_t{1} << 30;
// Deflate packs at most 1,032 to 1; one bit of a palette becomes three bytes.
constexpr std::uint64_t kLargestRatio = 1032 * 24;
constexpr std::uint64_t kSmallImage = std::uint64_t{1} << 20;

struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

File open_file(const std::string& path, const char* mode, const char* what) {
    File file(std::fopen(path.c_str(), mode));
    if (!file) throw core::IoError::from_errno(what, path, errno);
    return file;
}

/// Frees libpng's resources of the simplified interface however the scope is left.
struct PngImage {
    PngImage() {
        std::memset(&png, 0, sizeof png);
        png.version = PNG_IMAGE_VERSION;
    }
    ~PngImage() { png_image_free(&png); }
    PngImage(const PngImage&) = delete;
    PngImage& operator=(const PngImage&) = delete;
    png_image png;
};

png_uint_32 format_of(std::int64_t channels) {
    return channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
}

}  // namespace

Image read_png(const std::string& path) {
    const File file = open_file(path, "rb", "open");
    PngImage reader;
    const auto refuse = [&](const std::string& found) {
        throw core::FormatError({path, "", "a PNG image", found, ""});
    };
    if (png_image_begin_read_from_stdio(&reader.png, file.get()) == 0) refuse(reader.png.message);
    const bool alpha = (reader.png.format & PNG_FORMAT_FLAG_ALPHA) != 0;
    const bool colour = (reader.png.format & PNG_FORMAT_FLAG_COLOR) != 0;
    Image image;
    image.height = reader.png.height;
    image.width = reader.png.width;
    image.channels = alpha ? 4 : colour ? 3 : 1;
    const std::uint64_t bytes =
        std::uint64_t{reader.png.height} * reader.png.width * image.channels;
    if (bytes > kLargestImage) refuse(fmt::format("{} x {} pixels", image.height, image.width));
    std::error_code code;
    const auto stored = static_cast<std::uint64_t>(std::filesystem::file_size(path, code));
    if (!code && bytes > kSmallImage && bytes / kLargestRatio > stored)
        refuse(fmt::format("{} x {} pixels in {} bytes", image.height, image.width, stored));
    reader.png.format = format_of(image.channels);
    image.values.resize(bytes);
    if (png_image_finish_read(&reader.png, nullptr, image.values.data(), 0, nullptr) == 0)
        refuse(reader.png.message);
    return image;
}

namespace {

void describe(const Image& image, png_image& png) {
    core::check(image.channels == 1 || image.channels == 3 || image.channels == 4,
                "an image of 1, 3 or 4 channels");
    core::check(image.height > 0 && image.width > 0 &&
                    static_cast<std::int64_t>(image.values.size()) ==
                        image.height * image.width * image.channels,
                "height x width x channels samples");
    png.height = static_cast<png_uint_32>(image.height);
    png.width = static_cast<png_uint_32>(image.width);
    png.format = format_of(image.channels);
}

}  // namespace

std::vector<std::uint8_t> encode_png(const Image& image) {
    PngImage writer;
    describe(image, writer.png);
    const auto write = [&](void* memory, png_alloc_size_t& bytes) {
        if (png_image_write_to_memory(&writer.png, memory, &bytes, 0, image.values.data(), 0,
                                      nullptr) == 0)
            throw core::InvariantError(fmt::format("cannot encode a PNG: {}", writer.png.message));
    };
    png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(writer.png);
    std::vector<std::uint8_t> result(bytes);
    write(result.data(), bytes);
    result.resize(bytes);
    return result;
}

void write_png(const std::string& path, const Image& image) {
    PngImage writer;
    describe(image, writer.png);
    File file = open_file(path, "wb", "write");
    errno = 0;
    const int done =
        png_image_write_to_stdio(&writer.png, file.get(), 0, image.values.data(), 0, nullptr);
    if (done == 0 || std::fflush(file.get()) != 0)
        throw core::IoError::from_errno("write", path, errno != 0 ? errno : EIO);
    if (std::fclose(file.release()) != 0) throw core::IoError::from_errno("close", path, errno);
}

Image downsample(const Image& image, std::int64_t factor) {
    core::check(factor >= 1, "a factor of 1 or more");
    Image result;
    result.height = (image.height + factor - 1) / factor;
    result.width = (image.width + factor - 1) / factor;
    result.channels = image.channels;
    result.values.resize(result.height * result.width * result.channels);
    for (std::int64_t y = 0; y < result.height; ++y)
        for (std::int64_t x = 0; x < result.width; ++x)
            for (std::int64_t c = 0; c < image.channels; ++c) {
                const std::int64_t y_end = std::min(image.height, (y + 1) * factor);
                const std::int64_t x_end = std::min(image.width, (x + 1) * factor);
                std::int64_t sum = 0;
                for (std::int64_t v = y * factor; v < y_end; ++v)
                    for (std::int64_t u = x * factor; u < x_end; ++u)
                        sum += image.values[(v * image.width + u) * image.channels + c];
                const std::int64_t count = (y_end - y * factor) * (x_end - x * factor);
                result.values[(y * result.width + x) * result.channels + c] =
                    static_cast<std::uint8_t>((sum + count / 2) / count);
            }
    return result;
}

NdArray<std::uint8_t> to_array(const Image& image) {
    return {{image.height, image.width, image.channels}, image.values};
}

Image to_image(const NdArray<std::uint8_t>& array) {
    core::check(array.shape.size() == 3 || array.shape.size() == 2, "an image array");
    Image image{array.shape[0], array.shape[1], array.shape.size() == 3 ? array.shape[2] : 1,
                array.values};
    core::check(static_cast<std::int64_t>(image.values.size()) ==
                    image.height * image.width * image.channels,
                "height x width x channels samples");
    return image;
}

}  // namespace smeta::io
