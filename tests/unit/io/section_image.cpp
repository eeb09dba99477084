#include "smeta/io/section_image.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::io {
namespace {

Image ramp(std::int64_t height, std::int64_t width, std::int64_t channels) {
    Image image{height, width, channels, {}};
    for (std::int64_t i = 0; i < height * width * channels; ++i)
        image.values.push_back(static_cast<std::uint8_t>(i % 251));
    return image;
}

UnsDict& library_of(AnnData& data, const std::string& name) {
    auto& spatial = std::get<UnsDict>(data.uns.at("spatial").value);
    return std::get<UnsDict>(spatial.at(name).value);
}

UnsDict& part_of(AnnData& data, const char* part) {
    return std::get<UnsDict>(library_of(data, "S").at(part).value);
}

TEST(SectionImage, IsReadAsItWasSet) {
    AnnData data;
    set_section_image(data, "S", ramp(1300, 700, 3), 0.5);
    const auto high = section_image(data.uns, "f", ImageSize::High);
    ASSERT_TRUE(high);
    EXPECT_EQ(high->image, ramp(1300, 700, 3));
    EXPECT_EQ(high->scale, 0.5);
    EXPECT_EQ(high->name, "uns/spatial/S/images/hires");
    const auto low = section_image(data.uns, "f", ImageSize::Low);
    ASSERT_TRUE(low);
    EXPECT_EQ(low->image, downsample(ramp(1300, 700, 3), 3));  // 1,300 pixels to at most 600
    EXPECT_DOUBLE_EQ(low->scale, 0.5 / 3);
    part_of(data, "images").erase("hires");
    EXPECT_EQ(section_image(data.uns, "f", ImageSize::High)->name, "uns/spatial/S/images/lowres");
}

TEST(SectionImage, TakesThePlaceOfAnotherAndKeepsTheOtherFactors) {
    AnnData data;
    set_section_image(data, "theirs", ramp(4, 4, 3), 1);
    std::get<UnsDict>(library_of(data, "theirs").at("scalefactors").value)["spot_diameter_fullres"]
        .value = 12.5;
    set_section_image(data, "S", ramp(5, 7, 1), 0.25);
    EXPECT_EQ(std::get<UnsDict>(data.uns.at("spatial").value).size(), 1U);
    EXPECT_EQ(std::get<double>(part_of(data, "scalefactors").at("spot_diameter_fullres").value),
              12.5);
    const auto image = section_image(data.uns, "f", ImageSize::High);
    EXPECT_EQ(image->image.channels, 3);  // grey is stored as RGB
    EXPECT_EQ(image->image.values[3], ramp(5, 7, 1).values[1]);
}

/// scanpy reads PNG files with matplotlib, which makes floats of them.
TEST(SectionImage, ReadsFloats) {
    AnnData data;
    set_section_image(data, "S", ramp(4, 4, 3), 1);
    NdArray<float> floats{{4, 4, 3}, {}};
    for (const std::uint8_t v : ramp(4, 4, 3).values)
        floats.values.push_back(static_cast<float>(v) / 255.0F);
    part_of(data, "images")["hires"].value = floats;
    EXPECT_EQ(section_image(data.uns, "f", ImageSize::High)->image, ramp(4, 4, 3));
}

TEST(SectionImage, NothingWithoutImageOrFactorAndAnErrorForWrongOnes) {
    AnnData data;
    EXPECT_FALSE(section_image(data.uns, "f", ImageSize::High));
    set_section_image(data, "S", ramp(4, 4, 3), 1);
    for (const double factor : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
        part_of(data, "scalefactors")["tissue_hires_scalef"].value = factor;
        EXPECT_THROW(section_image(data.uns, "f", ImageSize::High), core::FormatError) << factor;
    }
    part_of(data, "scalefactors").erase("tissue_hires_scalef");
    EXPECT_EQ(section_image(data.uns, "f", ImageSize::High)->name, "uns/spatial/S/images/lowres");
    part_of(data, "scalefactors").erase("tissue_lowres_scalef");
    EXPECT_FALSE(section_image(data.uns, "f", ImageSize::High));
    set_section_image(data, "S", ramp(4, 4, 3), 1);
    part_of(data, "images")["hires"].value = NdArray<std::uint8_t>{{2, 2, 2, 2}, {}};
    EXPECT_THROW(section_image(data.uns, "f", ImageSize::High), core::FormatError);
}

TEST(SectionImage, CoverCountsWhatLiesOffTheImage) {
    core::MatrixD places(4, 2);
    places << 0, 0, 100, 50, 150, 20, 30, 90;
    const ImageCover inside = image_cover(ramp(50, 80, 1), 0.5, places);  // 160 x 100
    EXPECT_EQ(inside.outside, 0);
    EXPECT_DOUBLE_EQ(inside.extent, 150.0 * 90 / (160 * 100));
    const ImageCover twice = image_cover(ramp(50, 80, 1), 1.0, places);  // 80 x 50
    EXPECT_EQ(twice.outside, 0.75);
    EXPECT_DOUBLE_EQ(twice.smallest_factor, 1.875);
    EXPECT_NE(twice.spots_span.find("x 0 to 150"), std::string::npos);
    EXPECT_NE(twice.image_span.find("y 0 to 50"), std::string::npos);
}

}  // namespace
}  // namespace smeta::io
