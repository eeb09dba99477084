#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <tiffio.h>

#include "smeta/core/error.hpp"

#include "image_file_impl.hpp"

namespace smeta::io::detail {

namespace {

constexpr std::int64_t kLargestBlock = std::int64_t{1} << 27;  // pixels of a strip or tile
constexpr tmsize_t kLargestAllocation = tmsize_t{1} << 30;

/// Keeps the first message of the library.
int note_error(TIFF*, void* user, const char*, const char* format, std::va_list arguments) {
    auto& message = *static_cast<std::string*>(user);
    std::array<char, 400> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    if (message.empty()) message = text.data();
    return 1;
}

/// Unknown tags and the like.
int ignore_warning(TIFF*, void*, const char*, const char*, std::va_list) {
    return 1;
}

class TiffReader {
  public:
    explicit TiffReader(const std::string& path) : path_(path) {
        const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
            TIFFOpenOptionsAlloc(), &TIFFOpenOptionsFree);
        TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kLargestAllocation);
        TIFFOpenOptionsSetErrorHandlerExtR(options.get(), note_error, &message_);
        TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_warning, nullptr);
        // Mapped ("r", not "rm"): libtiff 4.5 otherwise refuses small tiles without compression.
        tiff_.reset(TIFFOpenExt(path.c_str(), "r", options.get()));
        if (!tiff_) refuse("a whole TIFF image", message_);
        // Blocks would be turned one by one.
        TIFFSetField(tiff_.get(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
        std::array<char, 1024> why{};
        if (TIFFRGBAImageOK(tiff_.get(), why.data()) == 0)
            refuse("8 or 16 bits a sample, grey, RGB, YCbCr or a palette", why.data());
        if (TIFFGetField(tiff_.get(), TIFFTAG_IMAGEWIDTH, &width_) == 0 ||
            TIFFGetField(tiff_.get(), TIFFTAG_IMAGELENGTH, &height_) == 0)
            refuse("the size of the image", "none");
        std::uint16_t photometric = PHOTOMETRIC_RGB;
        std::uint16_t samples = 1;
        TIFFGetField(tiff_.get(), TIFFTAG_PHOTOMETRIC, &photometric);
        TIFFGetFieldDefaulted(tiff_.get(), TIFFTAG_SAMPLESPERPIXEL, &samples);
        white_is_zero_ = photometric == PHOTOMETRIC_MINISWHITE;
        grey_ = samples == 1 && (photometric == PHOTOMETRIC_MINISBLACK || white_is_zero_);
        find_blocks();
        std::uint16_t bits = 1;
        TIFFGetFieldDefaulted(tiff_.get(), TIFFTAG_BITSPERSAMPLE, &bits);
        deep_grey_ = grey_ && bits == 16;
    }

    ImageRequest request(std::int64_t longest_side) const {
        return {path_, height_, width_, grey_ ? 1 : 3, longest_side};
    }

    void read(BoxMeans& means) {
        raster_.resize(std::size_t{block_width_} * block_height_);
        for (std::uint32_t y = 0; y < height_; y += block_height_)
            for (std::uint32_t x = 0; x < width_; x += block_width_) {
                if (!read_block(x, y))
                    refuse("a whole TIFF image",
                           fmt::format("{} in the block at pixel ({}, {})",
                                       message_.empty() ? "an error" : message_, x, y));
                const PixelBlock block{x, y, std::min(block_width_, width_ - x),
                                       std::min(block_height_, height_ - y)};
                means.add(block, samples_of(block));
            }
    }

  private:
    struct Close {
        void operator()(TIFF* tiff) const { TIFFClose(tiff); }
    };

    [[noreturn]] void refuse(const std::string& expected, const std::string& found) const {
        throw core::FormatError({path_, "", expected, found,
                                 "is the file damaged? otherwise save it anew as 8-bit RGB"});
    }

    void find_blocks() {
        tiled_ = TIFFIsTiled(tiff_.get()) != 0;
        block_width_ = width_;
        block_height_ = height_;
        if (tiled_) {
            TIFFGetField(tiff_.get(), TIFFTAG_TILEWIDTH, &block_width_);
            TIFFGetField(tiff_.get(), TIFFTAG_TILELENGTH, &block_height_);
        } else {
            TIFFGetFieldDefaulted(tiff_.get(), TIFFTAG_ROWSPERSTRIP, &block_height_);
            block_height_ = std::min(block_height_, height_);
        }
        if (block_width_ == 0 || block_height_ == 0)
            refuse("strips or tiles with pixels",
                   fmt::format("{} x {}", block_width_, block_height_));
        if (std::int64_t{block_width_} > kLargestBlock / block_height_)
            throw core::FormatError(
                {path_, "", "strips or tiles of at most 134 megapixels",
                 fmt::format("{} x {} pixels", block_width_, block_height_),
                 "save it in tiles, for example: tiffcp -t -w 512 -l 512 IN OUT"});
    }

    bool read_block(std::uint32_t x, std::uint32_t y) {
        constexpr int kStopOnError = 1;
        if (deep_grey_) return read_deep_block(x, y);
        return (tiled_ ? TIFFReadRGBATileExt(tiff_.get(), x, y, raster_.data(), kStopOnError)
                       : TIFFReadRGBAStripExt(tiff_.get(), y, raster_.data(), kStopOnError)) != 0;
    }

    /// 16-bit grey: libtiff cuts off the lower byte, and shears tiles that reach over the right
    /// edge.
    bool read_deep_block(std::uint32_t x, std::uint32_t y) {
        const std::uint32_t rows = tiled_ ? block_height_ : std::min(block_height_, height_ - y);
        std::vector<std::uint16_t> values(std::size_t{block_width_} * rows);
        const auto bytes = static_cast<tmsize_t>(values.size() * sizeof values[0]);
        const tmsize_t done =
            tiled_ ? TIFFReadEncodedTile(tiff_.get(), TIFFComputeTile(tiff_.get(), x, y, 0, 0),
                                         values.data(), bytes)
                   : TIFFReadEncodedStrip(tiff_.get(), TIFFComputeStrip(tiff_.get(), y, 0),
                                          values.data(), bytes);
        if (done != bytes) return false;
        for (std::uint32_t row = 0; row < rows; ++row)
            for (std::uint32_t column = 0; column < block_width_; ++column) {
                const std::uint32_t stored = values[std::size_t{row} * block_width_ + column];
                const std::uint32_t v = ((white_is_zero_ ? 65535 - stored : stored) + 128) / 257;
                raster_[std::size_t{rows - 1 - row} * block_width_ + column] =
                    0xFF000000U | v << 16U | v << 8U | v;
            }
        return true;
    }

    /// The library gives rows from the bottom, of tiles always all of them, colours times alpha.
    const std::uint8_t* samples_of(const PixelBlock& block) {
        const std::int64_t rows = tiled_ ? std::int64_t{block_height_} : block.height;
        samples_.clear();
        for (std::int64_t y = 0; y < block.height; ++y) {
            const std::uint32_t* row = raster_.data() + (rows - 1 - y) * block_width_;
            for (std::int64_t x = 0; x < block.width; ++x) {
                const std::uint32_t glass = 255 - TIFFGetA(row[x]);
                const auto put = [&](std::uint32_t colour) {
                    samples_.push_back(
                        static_cast<std::uint8_t>(std::min<std::uint32_t>(255, colour + glass)));
                };
                put(TIFFGetR(row[x]));
                if (grey_) continue;
                put(TIFFGetG(row[x]));
                put(TIFFGetB(row[x]));
            }
        }
        return samples_.data();
    }

    std::string path_;
    std::string message_;
    std::unique_ptr<TIFF, Close> tiff_;
    std::uint32_t width_ = 0;
    std::uint32_t height_ = 0;
    std::uint32_t block_width_ = 0;
    std::uint32_t block_height_ = 0;
    bool tiled_ = false;
    bool grey_ = false;
    bool white_is_zero_ = false;
    bool deep_grey_ = false;
    std::vector<std::uint32_t> raster_;
    std::vector<std::uint8_t> samples_;
};

}  // namespace

ReducedImage read_tiff(const std::string& path, std::int64_t longest_side) {
    TiffReader reader(path);
    BoxMeans means(reader.request(longest_side));
    reader.read(means);
    return means.finish();
}

}  // namespace smeta::io::detail
