#include "support/image_writer.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <jpeglib.h>
#include <tiffio.h>

namespace smeta::test {

namespace {

struct CloseTiff {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

Tiff open_tiff(const std::string& path, const char* mode) {
    Tiff tiff(TIFFOpen(path.c_str(), mode));
    if (!tiff) throw std::runtime_error("cannot write " + path);
    return tiff;
}

/// Samples of a block as they are stored; beyond the image the last pixel is repeated.
std::vector<std::uint8_t> stored(const io::Image& image, const TiffKind& kind, std::int64_t x0,
                                 std::int64_t y0, std::int64_t width, std::int64_t height,
                                 std::int64_t plane) {
    std::vector<std::uint8_t> bytes;
    for (std::int64_t y = y0; y < y0 + height; ++y)
        for (std::int64_t x = x0; x < x0 + width; ++x)
            for (std::int64_t c = 0; c < image.channels; ++c) {
                if (kind.planar && c != plane) continue;
                std::uint8_t v = image.values[(std::min(y, image.height - 1) * image.width +
                                               std::min(x, image.width - 1)) *
                                                  image.channels +
                                              c];
                if (kind.white_is_zero) v = static_cast<std::uint8_t>(255 - v);
                bytes.push_back(v);
                if (kind.sixteen_bits) bytes.push_back(v);  // v * 257
            }
    return bytes;
}

void describe(TIFF* tiff, const io::Image& image, const TiffKind& kind) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(image.width));
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(image.height));
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, static_cast<int>(image.channels));
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, kind.sixteen_bits ? 16 : 8);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG,
                 kind.planar ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION,
                 kind.lzw       ? COMPRESSION_LZW
                 : kind.deflate ? COMPRESSION_ADOBE_DEFLATE
                 : kind.jpeg    ? COMPRESSION_JPEG
                                : COMPRESSION_NONE);
    int photometric = image.channels == 3  ? PHOTOMETRIC_RGB
                      : kind.white_is_zero ? PHOTOMETRIC_MINISWHITE
                                           : PHOTOMETRIC_MINISBLACK;
    if (kind.jpeg && image.channels == 3) {
        photometric = PHOTOMETRIC_YCBCR;
        TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (kind.jpeg) TIFFSetField(tiff, TIFFTAG_JPEGQUALITY, 95);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, photometric);
    if (kind.tile > 0) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, kind.tile);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, kind.tile);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, kind.rows_per_strip);
    }
}

}  // namespace

const std::vector<std::pair<std::string, TiffKind>> kTiffKinds = {
    {"strips", {.rows_per_strip = 8}},
    {"one strip", {}},
    {"tiles", {.tile = 16}},
    {"large tiles", {.tile = 128}},
    {"lzw", {.lzw = true, .rows_per_strip = 5}},
    {"deflate tiles", {.deflate = true, .tile = 32}},
    {"jpeg tiles", {.jpeg = true, .tile = 32}},
    {"planes", {.planar = true, .rows_per_strip = 8}},
    {"planes in tiles", {.planar = true, .tile = 16}},
    {"16 bits", {.sixteen_bits = true, .rows_per_strip = 8}},
    {"16 bits, planes in tiles", {.planar = true, .sixteen_bits = true, .tile = 16}},
    {"big endian, 16 bits", {.sixteen_bits = true, .big_endian = true, .tile = 16}},
    {"big tiff", {.big_tiff = true, .rows_per_strip = 8}},
    {"white is zero", {.white_is_zero = true}},
    {"16 bits, white is zero, tiles", {.sixteen_bits = true, .white_is_zero = true, .tile = 16}},
};

void write_tiff(const std::string& path, const io::Image& image, const TiffKind& kind) {
    const std::string mode =
        std::string("w") + (kind.big_endian ? "b" : "l") + (kind.big_tiff ? "8" : "");
    const Tiff tiff = open_tiff(path, mode.c_str());
    describe(tiff.get(), image, kind);
    const std::int64_t width = kind.tile > 0 ? kind.tile : image.width;
    const std::int64_t rows = kind.tile > 0 ? kind.tile : kind.rows_per_strip;
    for (std::int64_t plane = 0; plane < (kind.planar ? image.channels : 1); ++plane)
        for (std::int64_t y = 0; y < image.height; y += rows)
            for (std::int64_t x = 0; x < image.width; x += width) {
                const auto sample = static_cast<std::uint16_t>(plane);
                const auto left = static_cast<std::uint32_t>(x);
                const auto top = static_cast<std::uint32_t>(y);
                const std::int64_t height = kind.tile > 0 ? rows : std::min(rows, image.height - y);
                std::vector<std::uint8_t> bytes = stored(image, kind, x, y, width, height, plane);
                const auto size = static_cast<tmsize_t>(bytes.size());
                const tmsize_t done =
                    kind.tile > 0
                        ? TIFFWriteEncodedTile(tiff.get(),
                                               TIFFComputeTile(tiff.get(), left, top, 0, sample),
                                               bytes.data(), size)
                        : TIFFWriteEncodedStrip(tiff.get(),
                                                TIFFComputeStrip(tiff.get(), top, sample),
                                                bytes.data(), size);
                if (done < 0) throw std::runtime_error("cannot write " + path);
            }
}

void write_empty_tiff(const std::string& path, std::uint32_t width, std::uint32_t height) {
    const Tiff tiff = open_tiff(path, "w");
    describe(tiff.get(), {height, width, 1, {}}, {.rows_per_strip = height});
    const std::uint8_t byte = 0;
    TIFFWriteRawStrip(tiff.get(), 0, const_cast<std::uint8_t*>(&byte), 1);
}

void write_jpeg(const std::string& path, const io::Image& image, JpegKind kind) {
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) throw std::runtime_error("cannot write " + path);
    jpeg_compress_struct info{};
    jpeg_error_mgr errors{};  // its own handler ends the program
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, file);
    info.image_width = static_cast<JDIMENSION>(image.width);
    info.image_height = static_cast<JDIMENSION>(image.height);
    info.input_components = static_cast<int>(image.channels);
    info.in_color_space = image.channels == 1   ? JCS_GRAYSCALE
                          : image.channels == 3 ? JCS_RGB
                                                : JCS_CMYK;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 95, TRUE);
    if (kind == JpegKind::Progressive) jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    std::vector<std::uint8_t> values = image.values;
    for (std::int64_t y = 0; y < image.height; ++y) {
        JSAMPROW row = values.data() + y * image.width * image.channels;
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    std::fclose(file);
}

}  // namespace smeta::test
