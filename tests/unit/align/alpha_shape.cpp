#include "alpha_shape.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

#include "point_term.hpp"

namespace {

using namespace smeta;
namespace detail = smeta::align::detail;
using Edges = std::vector<std::array<std::int64_t, 2>>;

core::MatrixD points_of(const std::vector<std::array<double, 2>>& places) {
    core::MatrixD points(static_cast<Eigen::Index>(places.size()), 2);
    for (std::size_t r = 0; r < places.size(); ++r)
        points.row(static_cast<Eigen::Index>(r)) << places[r][0], places[r][1];
    return points;
}

/// A square lattice without the given places.
core::MatrixD lattice(int side, const std::set<std::array<int, 2>>& missing) {
    std::vector<std::array<double, 2>> places;
    for (int j = 0; j < side; ++j)
        for (int i = 0; i < side; ++i)
            if (!missing.contains({i, j}))
                places.push_back({static_cast<double>(i), static_cast<double>(j)});
    return points_of(places);
}

double length(const core::MatrixD& points, const Edges& edges) {
    double sum = 0;
    for (const auto& [a, b] : edges) sum += (points.row(a) - points.row(b)).norm();
    return sum;
}

TEST(AlphaShape, OfTwoTrianglesIsTheirOutline) {
    // Circumradii by abc / (4 area): 0, 1, 2: 3 * 5 * 4 / (4 * 6) = 2.5; 1, 2, 3: larger.
    const core::MatrixD points = points_of({{0, 0}, {3, 0}, {0, 4}, {9, 8}});
    const detail::AlphaShape one = detail::alpha_shape(points, 2.6, 1);
    EXPECT_EQ(one.alpha, 2.6);
    EXPECT_EQ(one.edges, (Edges{{0, 1}, {0, 2}, {1, 2}}));
    const detail::AlphaShape both = detail::alpha_shape(points, 100, 1);
    EXPECT_EQ(both.edges, (Edges{{0, 1}, {0, 2}, {1, 3}, {2, 3}}));
    EXPECT_EQ(detail::border_points(points, one), points.topRows(3));
}

TEST(AlphaShape, AlphaRisesUntilItIsAboveTheSmallestCircle) {
    const core::MatrixD points = points_of({{0, 0}, {3, 0}, {0, 4}, {9, 8}});
    EXPECT_EQ(detail::alpha_shape(points, 1, 1).alpha, 3);
    EXPECT_NEAR(detail::alpha_shape(points, 0.4, 0.75).alpha, 2.65, 1e-12);
    EXPECT_EQ(detail::alpha_shape(points, 1, 1).edges.size(), 3U);
}

/// Triangles of equal radius on one circle, as in every square of a lattice, are kept together.
TEST(AlphaShape, OfALatticeIsItsBorder) {
    const core::MatrixD points = lattice(10, {});
    const detail::AlphaShape shape = detail::alpha_shape(points, 0.75, 1);
    EXPECT_EQ(shape.edges.size(), 36U);
    EXPECT_NEAR(length(points, shape.edges), 36, 1e-9);
}

TEST(AlphaShape, FillsHolesThatAreSmallerThanAlpha) {
    // Around one missing place the circle has radius 1.
    const core::MatrixD points = lattice(10, {{4, 4}});
    const detail::AlphaShape open = detail::alpha_shape(points, 0.9, 1);
    EXPECT_NEAR(length(points, open.edges), 36 + 4 * std::sqrt(2.0), 1e-9);
    EXPECT_EQ(detail::alpha_shape(points, 1.1, 1).edges.size(), 36U);
}

TEST(AlphaShape, FollowsABay) {
    std::set<std::array<int, 2>> bay;
    for (int j = 0; j < 6; ++j)
        for (int i = 3; i < 7; ++i) bay.insert({i, j});
    const core::MatrixD points = lattice(10, bay);
    const detail::AlphaShape shape = detail::alpha_shape(points, 0.75, 1);
    // Around the bay 6 + 5 + 6 instead of 5, its two inner corners cut.
    EXPECT_NEAR(length(points, shape.edges), 36 - 5 + 17 - 2 * (2 - std::sqrt(2.0)), 1e-9);
    // The hull spans the bay.
    EXPECT_NEAR(length(points, detail::alpha_shape(points, 1e3, 1).edges), 36, 1e-9);
}

TEST(AlphaShape, OfPointsThatRepeatUsesTheFirst) {
    const core::MatrixD points = points_of({{0, 0}, {0, 0}, {3, 0}, {0, 4}, {3, 0}});
    EXPECT_EQ(detail::alpha_shape(points, 3, 1).edges, (Edges{{0, 2}, {0, 3}, {2, 3}}));
}

/// Against the definition: all triangles of three points without a fourth in their circle.
TEST(AlphaShape, OfRandomPointsIsThatOfTheDefinition) {
    constexpr Eigen::Index kPoints = 40;
    const core::Philox philox(7, core::DrawPurpose::Test, 1);
    core::MatrixD points(kPoints, 2);
    for (Eigen::Index k = 0; k < 2 * kPoints; ++k)
        points(k / 2, k % 2) = 100 * philox.uniform(static_cast<std::uint64_t>(k));
    for (const double alpha : {9.0, 14.0, 30.0}) {
        std::map<std::array<std::int64_t, 2>, int> kept;
        for (Eigen::Index a = 0; a < kPoints; ++a)
            for (Eigen::Index b = a + 1; b < kPoints; ++b)
                for (Eigen::Index c = b + 1; c < kPoints; ++c) {
                    const Eigen::RowVector2d u = points.row(b) - points.row(a);
                    const Eigen::RowVector2d v = points.row(c) - points.row(a);
                    const double cross = 2 * (u[0] * v[1] - u[1] * v[0]);
                    const Eigen::RowVector2d centre(
                        (v[1] * u.squaredNorm() - u[1] * v.squaredNorm()) / cross,
                        (u[0] * v.squaredNorm() - v[0] * u.squaredNorm()) / cross);
                    const double radius = centre.norm();
                    if (radius >= alpha) continue;
                    const Eigen::RowVector2d at = points.row(a) + centre;
                    bool empty = true;
                    for (Eigen::Index o = 0; o < kPoints && empty; ++o)
                        empty = o == a || o == b || o == c || (points.row(o) - at).norm() > radius;
                    if (!empty) continue;
                    ++kept[{a, b}];
                    ++kept[{a, c}];
                    ++kept[{b, c}];
                }
        Edges expected;
        for (const auto& [edge, count] : kept)
            if (count == 1) expected.push_back(edge);
        ASSERT_GT(expected.size(), 5U);
        EXPECT_EQ(detail::alpha_shape(points, alpha, 1).edges, expected) << alpha;
    }
}

TEST(AlphaShape, RefusesALine) {
    EXPECT_THROW(detail::alpha_shape(points_of({{0, 0}, {1, 1}, {2, 2}}), 1, 1),
                 core::InvariantError);
}

TEST(PointTerm, IsTheSumOfBothMeanDistances) {
    detail::Points fixed(3, 2);
    fixed << 0, 0, 10, 0, 0, 10;
    detail::Points moved(2, 2);
    moved << 3, 4, 10, 1;
    detail::Points gradient;
    // Of p: 5 and 1; of q: 5, 1 and sqrt(9 + 36).
    const double euclid =
        detail::PointTerm(fixed, align::PointNorm::Euclidean).value(moved, 0, gradient);
    EXPECT_NEAR(euclid, (5 + 1) / 2.0 + (5 + 1 + std::sqrt(45.0)) / 3, 1e-12);
    EXPECT_NEAR(gradient(0, 0), 0.6 / 2 + (0.6 + 3 / std::sqrt(45.0)) / 3, 1e-12);
    EXPECT_NEAR(gradient(1, 1), 1 / 2.0 + 1 / 3.0, 1e-12);
    EXPECT_NEAR(gradient(1, 0), 0, 1e-12);
    EXPECT_NEAR(detail::PointTerm(fixed, align::PointNorm::L1).value(moved, 0, gradient),
                (7 + 1) / 2.0 + (7 + 1 + 9) / 3.0, 1e-12);
    moved(0, 0) = std::numeric_limits<double>::quiet_NaN();
    EXPECT_TRUE(std::isinf(
        detail::PointTerm(fixed, align::PointNorm::Euclidean).value(moved, 0, gradient)));
}

TEST(PointTerm, GradientIsThatOfDifferences) {
    const core::Philox philox(7, core::DrawPurpose::Test, 2);
    detail::Points fixed(60, 2);
    detail::Points moved(45, 2);
    for (Eigen::Index k = 0; k < fixed.size(); ++k)
        fixed(k / 2, k % 2) = philox.normal(static_cast<std::uint64_t>(k));
    for (Eigen::Index k = 0; k < moved.size(); ++k)
        moved(k / 2, k % 2) = philox.normal(static_cast<std::uint64_t>(500 + k));
    for (const auto& [norm, rounding] :
         {std::pair{align::PointNorm::Euclidean, 0.0}, std::pair{align::PointNorm::L1, 0.0},
          std::pair{align::PointNorm::Euclidean, 0.3}, std::pair{align::PointNorm::L1, 0.3}}) {
        const detail::PointTerm term(fixed, norm);
        detail::Points gradient;
        detail::Points unused;
        term.value(moved, rounding, gradient);
        constexpr double kStep = 1e-7;
        for (Eigen::Index k = 0; k < moved.size(); ++k) {
            detail::Points shifted = moved;
            shifted(k / 2, k % 2) += kStep;
            const double above = term.value(shifted, rounding, unused);
            shifted(k / 2, k % 2) -= 2 * kStep;
            const double below = term.value(shifted, rounding, unused);
            EXPECT_NEAR(gradient(k / 2, k % 2), (above - below) / (2 * kStep), 1e-6) << k;
        }
    }
}

}  // namespace
