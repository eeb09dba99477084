#include "smeta/io/image.hpp"

#include <fstream>

#include <gtest/gtest.h>

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
