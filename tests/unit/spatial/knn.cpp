#include "smeta/spatial/knn.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"

namespace {

using namespace smeta;
using core::MatrixD;

// Reference: all distances, sorted by (distance, row).
std::vector<spatial::Neighbour> brute_force(const MatrixD& points, const Eigen::RowVectorXd& query,
                                            std::int64_t exclude) {
    std::vector<spatial::Neighbour> all;
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        if (r == exclude) continue;
        double squared = 0.0;
        for (Eigen::Index d = 0; d < points.cols(); ++d)
            squared += (query(d) - points(r, d)) * (query(d) - points(r, d));
        all.push_back({r, std::sqrt(squared)});
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.distance < b.distance; });
    return all;
}

MatrixD random_points(std::int64_t n, int dimensions, std::uint64_t seed) {
    const core::Philox random(seed, core::DrawPurpose::Test);
    MatrixD points(n, dimensions);
    for (Eigen::Index i = 0; i < points.size(); ++i) points.data()[i] = random.normal(i);
    return points;
}

// A grid far from the origin with every point twice: most distances tie.
MatrixD tied_points(int side) {
    MatrixD points(2 * side * side, 2);
    for (int i = 0; i < points.rows(); ++i) {
        const int cell = i % (side * side);
        points.row(i) << 1e5 + cell % side, -3e4 + cell / side;
    }
    return points;
}

void expect_brute_force(const MatrixD& points, std::int64_t k) {
    const spatial::KnnGraph graph = spatial::nearest_neighbours(points, k);
    ASSERT_EQ(graph.k, std::min<std::int64_t>(k, points.rows() - 1));
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        const auto expected = brute_force(points, points.row(r), r);
        for (std::int64_t i = 0; i < graph.k; ++i) {
            ASSERT_EQ(graph.row_neighbours(r)[i], expected[i].row)
                << "point " << r << " rank " << i;
            ASSERT_EQ(graph.row_distances(r)[i], expected[i].distance);
        }
    }
}

TEST(Knn, EqualsBruteForce) {
    expect_brute_force(random_points(500, 2, 1), 7);
    expect_brute_force(random_points(300, 10, 2), 15);
    expect_brute_force(random_points(40, 1, 3), 100);
}

TEST(Knn, TiesGoToTheLowestRow) {
    for (const int k : {1, 2, 5, 9, 30}) expect_brute_force(tied_points(9), k);
}

TEST(Knn, AllPointsInOnePlace) {
    expect_brute_force(MatrixD::Constant(50, 2, 3.25), 6);
}

TEST(Knn, QueriesAndRadius) {
    const MatrixD points = tied_points(8);
    const MatrixD queries = random_points(50, 2, 4).array() * 3.0 + 0.5;
    const spatial::PointIndex index(points);
    MatrixD shifted = queries;
    for (Eigen::Index r = 0; r < queries.rows(); ++r)
        shifted.row(r) << std::round(queries(r, 0)) + 1e5 + 4, std::round(queries(r, 1)) - 3e4 + 4;
    const spatial::KnnGraph graph = spatial::nearest_points(index, shifted, 5);
    for (Eigen::Index r = 0; r < shifted.rows(); ++r) {
        const auto expected = brute_force(points, shifted.row(r), -1);
        for (std::int64_t i = 0; i < 5; ++i) ASSERT_EQ(graph.row_neighbours(r)[i], expected[i].row);
        const double query[2] = {shifted(r, 0), shifted(r, 1)};
        const auto near = index.within(query, std::sqrt(2.0));
        std::vector<spatial::Neighbour> within;
        for (const auto& neighbour : expected)
            if (neighbour.distance <= std::sqrt(2.0)) within.push_back(neighbour);
        ASSERT_EQ(near, within);
    }
}

TEST(Knn, FewPoints) {
    EXPECT_EQ(spatial::nearest_neighbours(MatrixD(0, 2), 5).rows, 0);
    EXPECT_EQ(spatial::nearest_neighbours(MatrixD::Zero(1, 2), 5).k, 0);
    const spatial::PointIndex empty(MatrixD(0, 2));
    const double query[2] = {0, 0};
    EXPECT_TRUE(empty.nearest(query, 3).empty());
    EXPECT_TRUE(empty.within(query, 3.0).empty());
}

TEST(Knn, DoesNotDependOnThreads) {
    const MatrixD points = random_points(3000, 2, 9);
    core::set_threads(1);
    const auto one = spatial::nearest_neighbours(points, 6);
    core::set_threads(3);
    const auto three = spatial::nearest_neighbours(points, 6);
    EXPECT_EQ(one.neighbours, three.neighbours);
    EXPECT_EQ(one.distances, three.distances);
}

TEST(Knn, RefusesCoordinatesThatAreNotFinite) {
    MatrixD points = MatrixD::Zero(3, 2);
    points(1, 1) = std::nan("");
    EXPECT_THROW(spatial::PointIndex{points}, core::NumericError);
}

TEST(MinimumDistance, OfPairs) {
    MatrixD points(4, 2);
    points << 0, 0, 10, 0, 13, 4, 100, 100;
    EXPECT_DOUBLE_EQ(spatial::minimum_distance(points), 5.0);
    EXPECT_DOUBLE_EQ(spatial::minimum_distance(tied_points(3)), 0.0);
    EXPECT_TRUE(std::isnan(spatial::minimum_distance(points.topRows(1))));
}

}  // namespace
