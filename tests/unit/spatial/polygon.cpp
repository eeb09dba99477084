#include "smeta/spatial/polygon.hpp"

#include <gtest/gtest.h>

namespace smeta::spatial {
namespace {

core::MatrixD ring(std::initializer_list<std::pair<double, double>> vertices) {
    core::MatrixD result(static_cast<Eigen::Index>(vertices.size()), 2);
    Eigen::Index row = 0;
    for (const auto& [x, y] : vertices) result.row(row++) << x, y;
    return result;
}

const core::MatrixD kSquare = ring({{0, 0}, {10, 0}, {10, 10}, {0, 10}});
const core::MatrixD kHole = ring({{4, 4}, {4, 6}, {6, 6}, {6, 4}});

TEST(Polygon, EvenOddWithAHole) {
    EXPECT_TRUE(is_inside({kSquare, kHole}, 1, 1));
    EXPECT_TRUE(is_inside({kSquare, kHole}, 3.9, 5));
    EXPECT_FALSE(is_inside({kSquare, kHole}, 5, 5));
    EXPECT_TRUE(is_inside({kSquare}, 5, 5));
    EXPECT_FALSE(is_inside({kSquare}, -1, 5));
    EXPECT_FALSE(is_inside({kSquare}, 11, 5));
    EXPECT_FALSE(is_inside({kSquare}, 5, 10.5));
    EXPECT_FALSE(is_inside({}, 0, 0));
}

TEST(Polygon, ConcaveOpenAndClosedRingsAgree) {
    // An L: the notch at the upper right is outside.
    const auto open = ring({{0, 0}, {4, 0}, {4, 2}, {2, 2}, {2, 4}, {0, 4}});
    const auto closed = ring({{0, 0}, {4, 0}, {4, 2}, {2, 2}, {2, 4}, {0, 4}, {0, 0}});
    for (double x = -0.75; x < 5; x += 0.5)
        for (double y = -0.75; y < 5; y += 0.5) {
            const bool expected = x > 0 && y > 0 && ((x < 4 && y < 2) || (x < 2 && y < 4));
            EXPECT_EQ(is_inside({open}, x, y), expected) << x << " " << y;
            EXPECT_EQ(is_inside({closed}, x, y), expected) << x << " " << y;
        }
    EXPECT_EQ(polygon_area({open}), 12);
    EXPECT_EQ(polygon_area({closed}), 12);
    EXPECT_EQ(polygon_area({kSquare, kHole}), 96);
    EXPECT_EQ(polygon_area({}), 0);
}

TEST(Polygon, NeighboursShareNoPoint) {
    // Two triangles that make a square: every point of a grid, those on the edges too, is in
    // one of them where it is in the square [0, 6) x [0, 6).
    const auto lower = ring({{0, 0}, {6, 0}, {6, 6}});
    const auto upper = ring({{6, 6}, {0, 6}, {0, 0}});
    for (int x = -1; x <= 7; ++x)
        for (int y = -1; y <= 7; ++y) {
            const bool expected = x >= 0 && y >= 0 && x < 6 && y < 6;
            EXPECT_EQ(is_inside({lower}, x, y) + is_inside({upper}, x, y), expected ? 1 : 0)
                << x << " " << y;
        }
}

}  // namespace
}  // namespace smeta::spatial
