#include "smeta/analysis/knn.hpp"

#include <algorithm>
#include <limits>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::analysis {
namespace {

core::MatrixD random_points(Eigen::Index rows, Eigen::Index cols) {
    const core::Philox random(3, core::DrawPurpose::Test);
    core::MatrixD points(rows, cols);
    for (Eigen::Index i = 0; i < points.size(); ++i)
        points.data()[i] = static_cast<float>(random.normal(static_cast<std::uint64_t>(i)));
    return points;
}

/// Points of a lattice: most distances are tied.
core::MatrixD lattice(int side) {
    core::MatrixD points(side * side, 2);
    for (int i = 0; i < side * side; ++i) points.row(i) << i % side, i / side;
    return points;
}

void expect_brute_force(const core::MatrixD& points, std::int32_t k) {
    const auto found = nearest_neighbors(points, {0, points.rows()}, k);
    ASSERT_EQ(found.neighbors, k);
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
        std::vector<std::pair<double, std::int64_t>> all;
        for (Eigen::Index j = 0; j < points.rows(); ++j)
            if (j != i) all.emplace_back((points.row(i) - points.row(j)).norm(), j);
        std::sort(all.begin(), all.end());
        for (std::int32_t n = 0; n < k; ++n) {
            EXPECT_EQ(found.indices[i * k + n], all[n].second) << i << " " << n;
            EXPECT_NEAR(found.distances[i * k + n], all[n].first, 1e-12);
        }
    }
}

TEST(NearestNeighbors, EqualBruteForce) {
    expect_brute_force(random_points(500, 10), 15);
    expect_brute_force(random_points(40, 1), 3);
}

TEST(NearestNeighbors, TiesGoToTheLowestIndex) {
    expect_brute_force(lattice(12), 6);
    expect_brute_force(core::MatrixD::Zero(50, 3), 4);
}

TEST(NearestNeighbors, AreCutToTheOtherPoints) {
    const auto three = nearest_neighbors(random_points(3, 2), {0, 3}, 15);
    EXPECT_EQ(three.neighbors, 2);
    EXPECT_EQ(nearest_neighbors(random_points(1, 2), {0, 1}, 15).neighbors, 0);
    EXPECT_EQ(nearest_neighbors(core::MatrixD(0, 2), {0, 0}, 15).rows, 0);
}

TEST(NearestNeighbors, PartsAndThreadsMakeNoDifference) {
    const auto points = random_points(300, 4);
    const auto all = nearest_neighbors(points, {0, 300}, 5);
    core::set_threads(2);
    const auto part = nearest_neighbors(points, {100, 200}, 5);
    core::set_threads(1);
    for (std::size_t i = 0; i < part.indices.size(); ++i) {
        EXPECT_EQ(part.indices[i], all.indices[500 + i]);
        EXPECT_EQ(part.distances[i], all.distances[500 + i]);
    }
}

TEST(NearestNeighbors, RefuseNaN) {
    auto points = random_points(5, 2);
    points(2, 1) = std::numeric_limits<double>::quiet_NaN();
    EXPECT_THROW(nearest_neighbors(points, {0, 5}, 2), core::NumericError);
}

}  // namespace
}  // namespace smeta::analysis
