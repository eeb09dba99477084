#include "smeta/io/image_file.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

#include "support/image_writer.hpp"
#include "support/support.hpp"

namespace smeta::io {
namespace {

using test::JpegKind;
using test::TiffKind;

/// Smooth, so that JPEG keeps it.
Image picture(std::int64_t channels, std::int64_t height = 47, std::int64_t width = 61) {
    Image image{height, width, channels, {}};
    for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x)
            for (std::int64_t c = 0; c < channels; ++c)
                image.values.push_back(static_cast<std::uint8_t>(
                    128 + 90 * std::sin(0.07 * static_cast<double>(x + 5 * c)) *
                              std::cos(0.05 * static_cast<double>(y - 7 * c))));
    return image;
}

std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

int largest_difference(const Image& a, const Image& b) {
    int largest = a.values.size() == b.values.size() ? 0 : 256;
    for (std::size_t i = 0; i < std::min(a.values.size(), b.values.size()); ++i)
        largest = std::max(largest, std::abs(int{a.values[i]} - int{b.values[i]}));
    return largest;
}

std::string refusal(const std::string& path) {
    try {
        read_image(path);
    } catch (const core::FormatError& error) {
        EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
        return error.what();
    }
    return "";
}

TEST(ImageFile, ReadsPngWithTransparencyOnWhite) {
    const test::TemporaryFolder folder;
    for (const std::int64_t channels : {1, 3}) {
        write_png(folder / "a.png", picture(channels));
        EXPECT_EQ(read_image(folder / "a.png").image, picture(channels));
    }
    write_png(folder / "a.png", Image{1, 3, 4, {10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 255, 51}});
    EXPECT_EQ(read_image(folder / "a.png").image,
              (Image{1, 3, 3, {10, 20, 30, 255, 255, 255, 204, 224, 255}}));
}

TEST(ImageFile, ReadsEveryKindOfTiffAsWritten) {
    const test::TemporaryFolder folder;
    for (const auto& [name, kind] : test::kTiffKinds)
        for (const std::int64_t channels : {1, 3}) {
            if ((kind.planar && channels == 1) || (kind.white_is_zero && channels == 3)) continue;
            const std::string path = folder / (name + ".tif");
            test::write_tiff(path, picture(channels), kind);
            const ReducedImage read = read_image(path);
            EXPECT_EQ(read.factor, 1);
            EXPECT_EQ(read.image.channels, channels) << name;
            EXPECT_LE(largest_difference(read.image, picture(channels)), kind.jpeg ? 12 : 0)
                << name << ", " << channels << " channels";
        }
}

TEST(ImageFile, ReadsJpegWithinItsLoss) {
    const test::TemporaryFolder folder;
    for (const JpegKind kind : {JpegKind::Baseline, JpegKind::Progressive})
        for (const std::int64_t channels : {1, 3}) {
            test::write_jpeg(folder / "a.jpg", picture(channels), kind);
            const Image read = read_image(folder / "a.jpg").image;
            EXPECT_EQ(read.channels, channels);
            EXPECT_LE(largest_difference(read, picture(channels)), 8);
        }
    test::write_jpeg(folder / "c.jpg", picture(4), JpegKind::Cmyk);
    EXPECT_NE(refusal(folder / "c.jpg").find("CMYK"), std::string::npos);
}

TEST(ImageFile, ReducesAsDownsampleDoes) {
    const test::TemporaryFolder folder;
    write_png(folder / "a.png", picture(3));
    test::write_tiff(folder / "a.tif", picture(3), {.tile = 16});
    test::write_tiff(folder / "b.tif", picture(3), {.rows_per_strip = 5});
    for (const char* name : {"a.png", "a.tif", "b.tif"}) {
        const ReducedImage read = read_image(folder / name, 13);
        EXPECT_EQ(read.factor, 5);  // 61 pixels to 13
        EXPECT_EQ(read.height, 47);
        EXPECT_EQ(read.width, 61);
        EXPECT_EQ(read.image, downsample(picture(3), 5)) << name;
    }
    test::write_jpeg(folder / "a.jpg", picture(3), JpegKind::Baseline);
    EXPECT_EQ(read_image(folder / "a.jpg", 13).image,
              downsample(read_image(folder / "a.jpg").image, 5));
}

/// Cut anywhere, a file is refused, or what is left is the whole image.
TEST(ImageFile, RefusesTruncatedFiles) {
    const test::TemporaryFolder folder;
    write_png(folder / "a.png", picture(3));
    test::write_jpeg(folder / "a.jpg", picture(3), JpegKind::Baseline);
    test::write_jpeg(folder / "p.jpg", picture(3), JpegKind::Progressive);
    test::write_tiff(folder / "s.tif", picture(3), {.lzw = true, .rows_per_strip = 8});
    test::write_tiff(folder / "t.tif", picture(3), {.tile = 16});
    for (const char* name : {"a.png", "a.jpg", "p.jpg", "s.tif", "t.tif"}) {
        const std::string path = folder / name;
        const std::string whole = bytes_of(path);
        const Image image = read_image(path).image;
        std::size_t refused = 0;
        std::size_t cuts = 0;
        const std::size_t step = whole.size() / 60 + 1;
        for (std::size_t size = 0; size < whole.size(); size += step) {
            write_bytes(path, whole.substr(0, size));
            ++cuts;
            try {
                EXPECT_EQ(read_image(path).image, image) << name << " cut at " << size;
            } catch (const core::FormatError&) {
                ++refused;
            }
        }
        EXPECT_GE(refused, cuts - 2) << name;
    }
}

/// Bytes changed anywhere give an image or a FormatError.
TEST(ImageFile, SurvivesDamagedFiles) {
    const test::TemporaryFolder folder;
    write_png(folder / "a.png", picture(3));
    test::write_jpeg(folder / "a.jpg", picture(3), JpegKind::Progressive);
    test::write_tiff(folder / "t.tif", picture(3), {.deflate = true, .tile = 16});
    test::write_tiff(folder / "s.tif", picture(1), {.lzw = true, .rows_per_strip = 8});
    for (const char* name : {"a.png", "a.jpg", "t.tif", "s.tif"}) {
        const std::string path = folder / name;
        const std::string whole = bytes_of(path);
        std::size_t refused = 0;
        for (std::size_t k = 0; k < 150; ++k) {
            std::string damaged = whole;
            damaged[(k * 7919 + 11) % whole.size()] ^= static_cast<char>(1U << (k % 8));
            damaged[(k * 104729 + 5) % whole.size()] = static_cast<char>(k % 3 == 0 ? 0xFF : k);
            write_bytes(path, damaged);
            try {
                read_image(path);
            } catch (const core::FormatError&) {
                ++refused;
            }
        }
        EXPECT_GT(refused, 40U) << name;
    }
}

TEST(ImageFile, RefusesOtherFilesByWhatTheyAre) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.png";
    const auto found = [&](const std::string& bytes) {
        write_bytes(path, bytes);
        return refusal(path);
    };
    EXPECT_NE(found("").find("an empty file"), std::string::npos);
    EXPECT_NE(found("%PDF-1.4").find("a PDF"), std::string::npos);
    EXPECT_NE(found("\x89HDF\r\n\x1a\n").find("an HDF5 file"), std::string::npos);
    EXPECT_NE(found("x,y\n1,2\n").find("PNG, JPEG or TIFF"), std::string::npos);
    EXPECT_NE(refusal(folder.path()).find("a folder"), std::string::npos);
    EXPECT_THROW(read_image(folder / "absent.tif"), core::IoError);
    // The ending does not matter.
    test::write_tiff(path, picture(3), {});
    EXPECT_EQ(read_image(path).image, picture(3));
}

TEST(ImageFile, RefusesSizesThatTheFileCannotHold) {
    const test::TemporaryFolder folder;
    test::write_jpeg(folder / "a.jpg", picture(3), JpegKind::Baseline);
    std::string bytes = bytes_of(folder / "a.jpg");
    const std::size_t frame = bytes.find("\xFF\xC0");
    ASSERT_NE(frame, std::string::npos);
    bytes.replace(frame + 5, 4, "\xFF\x00\xFF\x00", 4);  // height and width
    write_bytes(folder / "a.jpg", bytes);
    EXPECT_NE(refusal(folder / "a.jpg").find("65280 x 65280 pixels in"), std::string::npos);
    test::write_empty_tiff(folder / "a.tif", 120'000, 100'000);
    EXPECT_NE(refusal(folder / "a.tif").find("120000 x 100000 pixels in"), std::string::npos);
    test::write_empty_tiff(folder / "b.tif", 2'000'000, 1);
    EXPECT_NE(refusal(folder / "b.tif").find("2000000 x 1 pixels"), std::string::npos);
}

}  // namespace
}  // namespace smeta::io
