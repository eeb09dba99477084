#include "smeta/align/warp_image.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::align {
namespace {

/// Red grows along x, green along y.
io::Image ramp(std::int64_t width, std::int64_t height) {
    io::Image image{height, width, 3, {}};
    for (std::int64_t row = 0; row < height; ++row)
        for (std::int64_t column = 0; column < width; ++column)
            for (const std::int64_t value : {2 * column, 2 * row, std::int64_t{7}})
                image.values.push_back(static_cast<std::uint8_t>(value));
    return image;
}

AffineTransform affine(double a, double b, double c, double d, double x, double y) {
    AffineTransform map;
    map.a = {a, b, c, d};
    map.t = {x, y};
    return map;
}

const std::uint8_t* pixel(const io::Image& image, std::int64_t row, std::int64_t column) {
    return image.values.data() + (row * image.width + column) * image.channels;
}

TEST(WarpImage, identity_keeps_every_pixel) {
    const io::Image image = ramp(30, 20);
    const PlacedImage warped = warp_image(affine(1, 0, 0, 1, 0, 0), image, 0.5);
    ASSERT_EQ(warped.image.width, 30);
    ASSERT_EQ(warped.image.height, 20);
    EXPECT_EQ(warped.scale, 0.5);
    EXPECT_EQ(warped.x0, 0);
    for (std::int64_t row = 0; row < 20; ++row)
        for (std::int64_t column = 0; column < 30; ++column) {
            for (int c = 0; c < 3; ++c)
                EXPECT_EQ(pixel(warped.image, row, column)[c], pixel(image, row, column)[c]);
            EXPECT_EQ(pixel(warped.image, row, column)[3], 255);
        }
}

TEST(WarpImage, turns_mirrors_and_scales) {
    // x' = -3 y + 100, y' = 3 x - 7: a quarter turn, three times as large.
    const io::Image image = ramp(30, 20);
    const PlacedImage turned = warp_image(affine(0, -3, 3, 0, 100, -7), image, 1.0);
    ASSERT_EQ(turned.image.width, 20);
    ASSERT_EQ(turned.image.height, 30);
    EXPECT_NEAR(turned.scale, 1.0 / 3, 1e-12);
    EXPECT_NEAR(turned.x0, 40, 1e-9);
    EXPECT_NEAR(turned.y0, -7, 1e-9);
    for (std::int64_t row = 0; row < 30; ++row)
        for (std::int64_t column = 0; column < 20; ++column) {
            EXPECT_EQ(pixel(turned.image, row, column)[0], 2 * row);
            EXPECT_EQ(pixel(turned.image, row, column)[1], 2 * (19 - column));
        }
    const PlacedImage mirrored = warp_image(affine(-1, 0, 0, 1, 0, 0), image, 1.0);
    EXPECT_EQ(mirrored.x0, -30);
    EXPECT_EQ(pixel(mirrored.image, 3, 0)[0], 2 * 29);
}

TEST(WarpImage, is_transparent_where_the_image_does_not_reach) {
    const double half = std::sqrt(0.5);
    const PlacedImage warped = warp_image(affine(half, -half, half, half, 0, 0), ramp(40, 40), 1.0);
    EXPECT_EQ(warped.image.width, 57);  // 40 sqrt(2), whole pixels
    EXPECT_EQ(pixel(warped.image, 0, 0)[3], 0);
    EXPECT_EQ(pixel(warped.image, 0, 0)[2], 0);
    EXPECT_EQ(pixel(warped.image, 28, 28)[3], 255);
    EXPECT_EQ(pixel(warped.image, 28, 28)[2], 7);
}

TEST(WarpImage, follows_a_bent_map) {
    SpatialTransform bent(affine(2, 0, 0, 2, 5, 5));
    bent.steps = 2;
    bent.n = 4;
    bent.cell = 40;
    bent.x0 = bent.y0 = -10;
    bent.velocity.resize(2 * 4 * 4 * 2);
    for (std::size_t i = 0; i < bent.velocity.size(); ++i)
        bent.velocity[i] = 4 * std::sin(static_cast<double>(i));
    const PlacedImage warped = warp_image(bent, ramp(100, 100), 1.0);
    for (const double x : {20.0, 50.0, 77.0})
        for (const double y : {15.0, 44.0, 80.0}) {
            core::MatrixD place(1, 2);
            place << x, y;
            const core::MatrixD there = apply(bent, place);
            const auto column = std::lround((there(0, 0) - warped.x0) * warped.scale - 0.5);
            const auto row = std::lround((there(0, 1) - warped.y0) * warped.scale - 0.5);
            // A pixel is one unit of SM; its centre is half of one or less from the place.
            EXPECT_NEAR(pixel(warped.image, row, column)[0], 2 * (x - 0.5), 2.0);
            EXPECT_NEAR(pixel(warped.image, row, column)[1], 2 * (y - 0.5), 2.0);
        }
    core::set_threads(2);
    EXPECT_EQ(warp_image(bent, ramp(100, 100), 1.0).image, warped.image);
    core::set_threads(1);
}

TEST(WarpImage, refuses_scales_and_sizes_that_cannot_be) {
    const AffineTransform same = affine(1, 0, 0, 1, 0, 0);
    for (const double scale : {0.0, -1.0, std::nan(""), HUGE_VAL})
        EXPECT_THROW(warp_image(same, ramp(5, 5), scale), core::ConfigError) << scale;
    // Sheared so far that its box is huge.
    EXPECT_THROW(warp_image(affine(1, 1e6, 0, 1, 0, 0), ramp(50, 50), 1.0), core::ConfigError);
    EXPECT_THROW(warp_image(affine(1, 1, 1, 1, 0, 0), ramp(5, 5), 1.0), core::ConfigError);
}

}  // namespace
}  // namespace smeta::align
