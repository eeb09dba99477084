#include "smeta/analysis/knn.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"

#include "support/support.hpp"

namespace smeta::analysis {
namespace {

TEST(NearestNeighborsMpi, AnyRankCountGivesTheSameLists) {
    const core::Philox random(2, core::DrawPurpose::Test);
    core::MatrixD points(101, 4);
    for (Eigen::Index i = 0; i < points.size(); ++i)
        points.data()[i] = static_cast<double>(random.below(static_cast<std::uint64_t>(i), 5));
    const auto expected = nearest_neighbors(points, {0, points.rows()}, 7);
    test::on_each_communicator([&](const comm::Comm& comm) {
        const auto found = gather_nearest_neighbors(comm, points, 7);
        if (comm.is_root()) {
            EXPECT_EQ(found.rows, 101);
            EXPECT_EQ(found.indices, expected.indices);
            EXPECT_EQ(found.distances, expected.distances);
        } else {
            EXPECT_EQ(found.rows, 0);
        }
    });
}

TEST(NearestNeighborsMpi, ApproximateOnesAreTheSameOnAnyRankCount) {
    const core::Philox random(4, core::DrawPurpose::Test);
    core::MatrixD points(6000, 6);
    for (Eigen::Index i = 0; i < points.size(); ++i)
        points.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    const auto exact = nearest_neighbors(points, {0, points.rows()}, 12);
    const auto expected = gather_nearest_neighbors(comm::Comm::self(), points, 12, 0.8);
    std::int64_t hits = 0;
    for (std::size_t i = 0; i < exact.indices.size(); ++i) {
        const auto first = expected.indices.begin() + static_cast<std::ptrdiff_t>(i / 12 * 12);
        hits += std::count(first, first + 12, exact.indices[i]);
    }
    const double recall = static_cast<double>(hits) / static_cast<double>(exact.indices.size());
    EXPECT_GE(expected.recall, 0.8);
    EXPECT_LT(expected.recall, 1);
    EXPECT_NEAR(recall, expected.recall, 0.02);
    test::on_each_communicator([&](const comm::Comm& comm) {
        const auto found = gather_nearest_neighbors(comm, points, 12, 0.8);
        if (!comm.is_root()) return;
        EXPECT_EQ(found.indices, expected.indices);
        EXPECT_EQ(found.distances, expected.distances);
        EXPECT_EQ(found.recall, expected.recall);
    });
}

TEST(NearestNeighborsMpi, MoreRanksThanPoints) {
    const core::MatrixD points = core::MatrixD::Zero(2, 1);
    const auto found = gather_nearest_neighbors(comm::Comm::world(), points, 3);
    EXPECT_EQ(found.neighbors, found.rows == 0 ? 0 : 1);
}

}  // namespace
}  // namespace smeta::analysis
