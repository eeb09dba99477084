#include "smeta/io/image.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <zlib.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

TEST(Image, PngRoundTripOfEachChannelCount) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.png";
    for (const std::int64_t channels : {1, 3, 4}) {
        Image image{3, 5, channels, {}};
        for (std::int64_t i = 0; i < 3 * 5 * channels; ++i)
            image.values.push_back(static_cast<std::uint8_t>(i * 7 + 200));
        write_png(path, image);
        EXPECT_EQ(read_png(path), image) << channels;
        EXPECT_EQ(to_image(to_array(image)), image);
    }
}

TEST(Image, RefusesWhatIsNoPng) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.png";
    std::ofstream(path) << "not an image";
    EXPECT_THROW(read_png(path), core::FormatError);
    EXPECT_THROW(read_png(folder / "absent.png"), core::IoError);
    EXPECT_THROW(write_png((folder / "none" / "a.png").string(), Image{1, 1, 1, {0}}),
                 core::IoError);
}

TEST(Image, RefusesManyPixelsInFewBytes) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "a.png";
    write_png(path, Image{2, 2, 3, std::vector<std::uint8_t>(12, 9)});
    std::string bytes;
    {
        std::ifstream file(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(file), {});
    }
    const std::size_t header = bytes.find("IHDR");
    const auto put = [&](std::size_t at, std::uint32_t value) {
        for (std::size_t i = 0; i < 4; ++i)
            bytes[at + i] = static_cast<char>(value >> (24 - 8 * i));
    };
    put(header + 4, 17'000);
    put(header + 8, 17'000);
    const auto* named = reinterpret_cast<const unsigned char*>(bytes.data() + header);
    put(header + 17, static_cast<std::uint32_t>(crc32(0, named, 17)));
    std::ofstream(path, std::ios::binary) << bytes;
    try {
        read_png(path);
        FAIL() << "867 MB from " << bytes.size() << " bytes";
    } catch (const core::FormatError& error) {
        EXPECT_NE(error.problem().found.find("17000 x 17000 pixels in"), std::string::npos)
            << error.what();
    }
}

TEST(Image, DownsampleTakesRoundedMeansOfBoxes) {
    const Image image{2, 3, 1, {0, 1, 10, 2, 4, 21}};
    EXPECT_EQ(downsample(image, 2), (Image{1, 2, 1, {2, 16}}));  // 7 / 4 -> 2, 31 / 2 -> 16
    EXPECT_EQ(downsample(image, 1), image);
}

TEST(Image, ReadsARealSlideImage) {
    if (!test::have_shared()) GTEST_SKIP() << test::kNoShared;
    const Image image = read_png((test::shared_dir() / "data/sma_mouse_brain/V11L12-038_D1/visium/"
                                                       "spatial/tissue_lowres_image.png")
                                     .string());
    EXPECT_EQ(image.channels, 3);
    EXPECT_EQ(std::max(image.height, image.width), 600);
}

}  // namespace
}  // namespace smeta::io
