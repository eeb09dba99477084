#include "smeta/analysis/connectivities.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace smeta::analysis {
namespace {

TEST(LocalScale, SolvesForTheSumOfMemberships) {
    const std::vector<double> distances{0.5, 0.7, 1.0, 1.6};
    const auto scale = local_scale(distances, 1.0);
    EXPECT_EQ(scale.rho, 0.5);
    double sum = 0;
    for (const double d : distances) sum += std::exp(-(d - 0.5) / scale.sigma);
    EXPECT_NEAR(sum, std::log2(5.0), 1e-5);
}

TEST(LocalScale, IsBoundedForEqualPoints) {
    const std::vector<double> zeros(4, 0.0);
    const auto scale = local_scale(zeros, 2.0);
    EXPECT_EQ(scale.rho, 0);
    EXPECT_DOUBLE_EQ(scale.sigma, 2e-3);
}

// Three points on a line at 0, 1 and 3, two neighbours each: the memberships follow from log2(3) =
// 1 + exp(-gap / sigma).
TEST(Connectivities, UnionOfThreePointsByHand) {
    core::MatrixD points(3, 1);
    points << 0, 1, 3;
    const auto nearest = nearest_neighbors(points, {0, 3}, 2);
    const auto graph = core::to_dense(connectivities(nearest).view());
    const double far = std::log2(3.0) - 1;  // the second neighbour of every point
    EXPECT_NEAR(graph(0, 1), 1, 1e-6);
    EXPECT_NEAR(graph(1, 0), 1, 1e-6);
    EXPECT_NEAR(graph(0, 2), far + far - far * far, 1e-5);
    EXPECT_NEAR(graph(1, 2), 1, 1e-5);
    EXPECT_EQ(graph(0, 0), 0);
    EXPECT_EQ(graph, graph.transpose());
}

TEST(DistanceMatrix, HasAscendingColumns) {
    core::MatrixD points(4, 1);
    points << 0, 3, 1, 2;
    const auto nearest = nearest_neighbors(points, {0, 4}, 2);
    const auto matrix = distance_matrix(nearest);
    core::check_csr(matrix);
    EXPECT_EQ(matrix.nnz(), 8);
    EXPECT_EQ(core::to_dense(matrix.view())(0, 2), 1.0F);
    EXPECT_EQ(core::to_dense(matrix.view())(0, 3), 2.0F);
}

TEST(Connectivities, TakeOnePoint) {
    const core::MatrixD point = core::MatrixD::Zero(1, 2);
    const auto graph = connectivities(nearest_neighbors(point, {0, 1}, 15));
    EXPECT_EQ(graph.rows, 1);
    EXPECT_EQ(graph.nnz(), 0);
}

}  // namespace
}  // namespace smeta::analysis
