#include <bit>
#include <cmath>

#include <gtest/gtest.h>

#include "smeta/comm/spot_partition.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

#include "support/support.hpp"

namespace smeta::comm {
namespace {

constexpr std::size_t kWidth = 1000;

// Magnitudes over 12 decades: any other order of additions gives other bits.
std::vector<float> lane_values(int lane) {
    const core::Philox draw(7, core::DrawPurpose::Test, lane);
    std::vector<float> values(kWidth);
    for (std::size_t i = 0; i < kWidth; ++i)
        values[i] = static_cast<float>(draw.normal(2 * i) *
                                       std::pow(10.0, 12.0 * draw.uniform(2 * i + 1) - 6.0));
    return values;
}

std::vector<float> reference(int first, int lanes) {
    if (lanes == 1) return lane_values(first);
    std::vector<float> left = reference(first, lanes / 2);
    const std::vector<float> right = reference(first + lanes / 2, lanes / 2);
    for (std::size_t i = 0; i < kWidth; ++i) left[i] += right[i];
    return left;
}

std::vector<float> tree(const Comm& comm, int lanes) {
    const SpotPartition partition(lanes, comm.size());
    std::vector<std::vector<float>> buffers;
    const Range mine = partition.lanes_of(comm.rank());
    for (std::int64_t lane = mine.first; lane < mine.last; ++lane)
        buffers.push_back(lane_values(static_cast<int>(lane)));
    const std::vector<std::span<float>> views(buffers.begin(), buffers.end());
    std::vector<float> total(kWidth);
    lane_tree_sum<float>(comm, partition, views, total);
    return total;
}

TEST(LaneTree, BitsAreThoseOfOneBinaryTreeOnAnyRanks) {
    test::on_each_communicator([](const Comm& comm) {
        for (const int lanes : {4, 8, 16}) EXPECT_EQ(tree(comm, lanes), reference(0, lanes));
    });
}

TEST(LaneTree, OneLaneNeedsNoAddition) {
    const Comm self = Comm::self();
    EXPECT_EQ(tree(self, 1), lane_values(0));
}

TEST(LaneTree, AnotherOrderWouldShow) {
    std::vector<float> ascending = lane_values(0);
    for (int lane = 1; lane < 8; ++lane) {
        const auto values = lane_values(lane);
        for (std::size_t i = 0; i < kWidth; ++i) ascending[i] += values[i];
    }
    EXPECT_NE(ascending, reference(0, 8));
}

TEST(LaneTree, EmptyBuffersAreLegal) {
    const Comm world = Comm::world();
    const SpotPartition partition(8, world.size());
    const std::vector<std::span<double>> none(partition.lanes_of(world.rank()).size());
    lane_tree_sum<double>(world, partition, none, {});
}

}  // namespace
}  // namespace smeta::comm
