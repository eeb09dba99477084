#include "raster.hpp"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "svg.hpp"

namespace smeta::report {
namespace {

struct Points {
    std::vector<double> x;
    std::vector<double> y;
};

Points lattice(int side, bool is_hexagonal, double turn) {
    Points points;
    for (int r = 0; r < side; ++r)
        for (int c = 0; c < side; ++c) {
            const double u = c + (is_hexagonal && r % 2 == 1 ? 0.5 : 0.0);
            const double v = r * (is_hexagonal ? std::sqrt(0.75) : 1.0);
            points.x.push_back(100 * (u * std::cos(turn) - v * std::sin(turn)));
            points.y.push_back(100 * (u * std::sin(turn) + v * std::cos(turn)));
        }
    return points;
}

TEST(SpotShape, TellsLatticesApart) {
    const auto hexagonal = lattice(20, true, 0.2);
    const auto square = lattice(20, false, 0.2);
    const auto a = spot_shape(hexagonal.x, hexagonal.y);
    const auto b = spot_shape(square.x, square.y);
    EXPECT_EQ(a.kind, SpotShape::Kind::Hexagon);
    EXPECT_NEAR(a.spacing, 100, 1e-6);
    EXPECT_NEAR(std::remainder(a.angle - 0.2, std::numbers::pi / 3), 0, 1e-6);
    EXPECT_EQ(b.kind, SpotShape::Kind::Square);
    EXPECT_NEAR(std::remainder(b.angle - 0.2, std::numbers::pi / 2), 0, 1e-6);
}

TEST(SpotShape, TakesAnythingElseAsDiscs) {
    Points points;
    for (int i = 0; i < 300; ++i) {
        points.x.push_back(std::fmod(i * 0.754877666, 1.0) * 100);
        points.y.push_back(std::fmod(i * 0.569840291, 1.0) * 100 + std::sin(i));
    }
    EXPECT_EQ(spot_shape({}, {}).kind, SpotShape::Kind::Disc);
    const std::vector<double> same(3, 1.0);
    EXPECT_EQ(spot_shape(same, same).spacing, 1);
    EXPECT_GT(spot_shape(points.x, points.y).spacing, 0);
}

double covered(const Raster& raster) {
    double sum = 0;
    for (std::size_t i = 3; i < raster.image().values.size(); i += 4)
        sum += raster.image().values[i] / 255.0;
    return sum;
}

TEST(Raster, ShapesHaveTheirArea) {
    SpotShape shape;
    Raster disc(100, 100);
    disc.draw(shape, 50, 50, 60, {255, 0, 0});
    EXPECT_NEAR(covered(disc), std::numbers::pi * std::pow(0.48 * 60, 2), 10);

    shape.kind = SpotShape::Kind::Square;
    Raster square(100, 100);
    square.draw(shape, 50, 50, 60, {255, 0, 0});
    EXPECT_NEAR(covered(square), 60.6 * 60.6, 10);

    shape.kind = SpotShape::Kind::Hexagon;
    Raster hexagon(100, 100);
    hexagon.draw(shape, 50, 50, 60, {255, 0, 0});
    EXPECT_NEAR(covered(hexagon), 2 * std::sqrt(3) * std::pow(30.3, 2), 15);
}

TEST(Raster, KeepsColourAndClipsAtTheEdge) {
    Raster raster(10, 10);
    raster.draw({}, 0, 0, 12, {10, 20, 30});
    EXPECT_EQ(raster.image().values[0], 10);
    EXPECT_EQ(raster.image().values[2], 30);
    EXPECT_EQ(raster.image().values[3], 255);
    raster.draw({}, -500, 900, 12, {1, 1, 1});
}

TEST(Colours, AreThoseOfThePalettes) {
    EXPECT_EQ(to_hex(viridis(0)), "#440154");
    EXPECT_EQ(to_hex(viridis(1)), "#fde725");
    EXPECT_EQ(to_hex(viridis(7)), "#fde725");
    EXPECT_EQ(to_hex(diverging(0.5)), "#f7f7f7");
    EXPECT_EQ(to_hex(cluster_colour(0)), "#0072b2");
    EXPECT_EQ(cluster_colour(3), cluster_colour(3 + 24));
    EXPECT_EQ(to_hex(viridis(std::nan(""))), "#d0d0d0");
}

TEST(Text, IsEscaped) {
    EXPECT_EQ(escape("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
    EXPECT_EQ(escape("\u00b5m"), "\u00b5m");
    EXPECT_EQ(escape("\xff\x01x"), "??x");
}

TEST(Base64, EncodesTheRfcExamples) {
    const auto encode = [](std::string_view text) {
        return base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    };
    EXPECT_EQ(encode(""), "");
    EXPECT_EQ(encode("f"), "Zg==");
    EXPECT_EQ(encode("fo"), "Zm8=");
    EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
}

TEST(Ticks, AreRound) {
    EXPECT_EQ(ticks(0, 1, 4).size(), 6U);
    EXPECT_EQ(ticks(12, 31, 4), (std::vector<double>{15, 20, 25, 30}));
    EXPECT_EQ(ticks(3, 3, 4), std::vector<double>{3});
    EXPECT_EQ(tick_label(0.5, 0.5), "0.5");
    EXPECT_EQ(tick_label(20, 20), "20");
}

}  // namespace
}  // namespace smeta::report
