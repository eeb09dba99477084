#include "smeta/analysis/knn.hpp"

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

TEST(NearestNeighborsMpi, MoreRanksThanPoints) {
    const core::MatrixD points = core::MatrixD::Zero(2, 1);
    const auto found = gather_nearest_neighbors(comm::Comm::world(), points, 3);
    EXPECT_EQ(found.neighbors, found.rows == 0 ? 0 : 1);
}

}  // namespace
}  // namespace smeta::analysis
