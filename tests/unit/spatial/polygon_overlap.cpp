#include "smeta/spatial/polygon_overlap.hpp"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"
#include "smeta/spatial/hex_grid.hpp"
#include "smeta/spatial/knn.hpp"
#include "smeta/spatial/polygon.hpp"

namespace {

using namespace smeta;
using spatial::Corner;
using spatial::Polygon;

constexpr double kPi = std::numbers::pi;

Polygon square(double x, double y, double side) {
    return {{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}};
}

/// Share of a fine lattice over the box [-2, 2] of both axes that `inside` holds, as an area.
template <class Inside>
double sampled(const Inside& inside) {
    constexpr int kSteps = 1500;
    std::int64_t hits = 0;
    for (int i = 0; i < kSteps; ++i)
        for (int j = 0; j < kSteps; ++j)
            hits += inside(-2 + 4 * (i + 0.5) / kSteps, -2 + 4 * (j + 0.5) / kSteps) ? 1 : 0;
    return 16.0 * static_cast<double>(hits) / (static_cast<double>(kSteps) * kSteps);
}

core::MatrixD ring(const Polygon& polygon) {
    core::MatrixD points(static_cast<Eigen::Index>(polygon.size()), 2);
    for (std::size_t i = 0; i < polygon.size(); ++i)
        points.row(static_cast<Eigen::Index>(i)) << polygon[i][0], polygon[i][1];
    return points;
}

TEST(DiscOverlap, KnownAreas) {
    const Corner origin{0, 0};
    EXPECT_NEAR(spatial::disc_overlap(square(-2, -2, 4), origin, 1), kPi, 1e-12);
    EXPECT_NEAR(spatial::disc_overlap(square(0, 0, 4), origin, 1), kPi / 4, 1e-12);
    EXPECT_NEAR(spatial::disc_overlap(square(-0.5, -0.5, 1), origin, 1), 1, 1e-12);
    EXPECT_NEAR(spatial::disc_overlap(square(2, 2, 1), origin, 1), 0, 1e-12);
    EXPECT_NEAR(spatial::disc_overlap(square(1, -2, 4), origin, 1), 0, 1e-12);
    // The part of the disc beyond a line at half its radius.
    EXPECT_NEAR(spatial::disc_overlap(square(0.5, -2, 4), origin, 1),
                std::acos(0.5) - 0.5 * std::sqrt(0.75), 1e-12);
    const Polygon clockwise{{-2, -2}, {-2, 2}, {2, 2}, {2, -2}};
    EXPECT_NEAR(spatial::disc_overlap(clockwise, origin, 1), -kPi, 1e-12);
    // Far from the origin, as images are.
    EXPECT_NEAR(spatial::disc_overlap(square(2e4, 3e4, 1), {2e4, 3e4}, 0.5), kPi / 16, 1e-9);
}

TEST(DiscOverlap, EqualsFineSampling) {
    for (std::uint32_t trial = 0; trial < 6; ++trial) {
        const core::Philox random(7, core::DrawPurpose::Test, trial);
        std::uint64_t draw = 0;
        const auto uniform = [&] { return random.uniform(draw++); };
        Polygon quad;
        for (int k = 0; k < 4; ++k) {
            const double angle = kPi / 2 * (k + 0.6 * uniform());
            const double length = 0.4 + 1.2 * uniform();
            quad.push_back({length * std::cos(angle), length * std::sin(angle)});
        }
        const Corner centre{uniform() - 0.5, uniform() - 0.5};
        const double radius = 0.3 + uniform();
        const auto in_disc = [&](double x, double y) {
            return std::hypot(x - centre[0], y - centre[1]) <= radius;
        };
        const double expected = sampled([&](double x, double y) {
            return in_disc(x, y) && spatial::is_inside({ring(quad)}, x, y);
        });
        EXPECT_NEAR(spatial::disc_overlap(quad, centre, radius), expected, 2e-3) << trial;
        const Polygon cell = spatial::hex_cell(1.5);
        EXPECT_NEAR(spatial::signed_area(spatial::clip(quad, cell)),
                    sampled([&](double x, double y) {
                        return spatial::is_inside({ring(cell)}, x, y) &&
                               spatial::is_inside({ring(quad)}, x, y);
                    }),
                    2e-3)
            << trial;
    }
}

TEST(Clip, KnownAreas) {
    EXPECT_EQ(spatial::signed_area(spatial::clip(square(0, 0, 2), square(1, 1, 2))), 1);
    EXPECT_EQ(spatial::signed_area(spatial::clip(square(0, 0, 1), square(-1, -1, 5))), 1);
    EXPECT_TRUE(spatial::clip(square(0, 0, 1), square(3, 3, 1)).empty());
    EXPECT_EQ(spatial::signed_area(spatial::clip(square(0, 0, 1), square(1, 0, 1))), 0);
}

TEST(ConvexHull, CornersAlone) {
    core::MatrixD points(7, 2);
    points << 0, 0, 2, 0, 1, 0, 2, 2, 0, 2, 1, 1, 0, 0;
    EXPECT_EQ(spatial::convex_hull(points), (Polygon{{0, 0}, {2, 0}, {2, 2}, {0, 2}}));
    core::MatrixD line(4, 2);
    line << 0, 0, 1, 1, 2, 2, 3, 3;
    EXPECT_LT(spatial::convex_hull(line).size(), 3U);
    EXPECT_EQ(spatial::convex_hull(core::MatrixD(0, 2)).size(), 0U);
}

TEST(HexGrid, NeighboursAreOnePitchApart) {
    const Polygon area{{0, 0}, {10, 0}, {10, 6}, {5, 9}, {0, 6}};
    const spatial::HexGrid grid = spatial::hex_grid(area, 1);
    // One place a cell of sqrt(3) / 2, but for the border.
    EXPECT_NEAR(static_cast<double>(grid.points.rows()), 75 / std::sqrt(0.75), 16);
    EXPECT_NEAR(spatial::minimum_distance(grid.points), 1, 1e-12);
    EXPECT_TRUE(spatial::is_hexagonal(grid.array));
    for (Eigen::Index r = 0; r < grid.points.rows(); ++r) {
        EXPECT_GE(grid.array.column[r], 0);
        EXPECT_GE(grid.points(r, 1), 0);
        EXPECT_LE(grid.points(r, 1), 9);
        EXPECT_LE(std::abs(grid.points(r, 0) - 5), 5);
    }
    // Array neighbours are the neighbours in space.
    const auto graph = spatial::hexagonal_graph(grid.array);
    for (std::int64_t s = 0; s < graph.rows; ++s)
        for (const std::int64_t t : graph.row_columns(s))
            EXPECT_NEAR((grid.points.row(s) - grid.points.row(t)).norm(), 1, 1e-12);
    EXPECT_NEAR(spatial::signed_area(spatial::hex_cell(1)), std::sqrt(0.75), 1e-12);
    EXPECT_EQ(spatial::hex_grid(area, 5).array.row.front(), 0);
}

}  // namespace
