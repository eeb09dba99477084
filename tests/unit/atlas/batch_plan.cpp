#include "smeta/atlas/batch_plan.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::atlas {
namespace {

const std::vector<std::int64_t> kShards = {1000, 1, 0, 2345, 25};

std::vector<std::int64_t> all_rows(std::int64_t rows) {
    std::vector<std::int64_t> result(rows);
    std::iota(result.begin(), result.end(), 0);
    return result;
}

TEST(BatchPlan, IsTheExampleOfItsComment) {
    const BatchPlan plan({1, 4, 128}, {1000, 25});
    EXPECT_EQ(plan.rows(), 1025);
    EXPECT_EQ(plan.block_rows(), 4);
    EXPECT_EQ(plan.steps(), 9);
    EXPECT_EQ(plan.lane_blocks(0).size(), 65U);
    for (int lane = 1; lane < 4; ++lane) EXPECT_EQ(plan.lane_blocks(lane).size(), 64U);
    for (std::int64_t step = 0; step < 9; ++step) EXPECT_NEAR(plan.batch_rows(step), 114, 4);
}

TEST(BatchPlan, VisitsEveryRowOnceAnEpochStepByStep) {
    for (const int lanes : {1, 2, 8, 16})
        for (const std::int64_t epoch : {1, 2, 9}) {
            const BatchPlan plan({3, lanes, 128}, kShards);
            std::vector<std::int64_t> visited;
            for (std::int64_t step = 0; step < plan.steps(); ++step)
                for (int lane = 0; lane < lanes; ++lane) {
                    const auto order = plan.epoch_order(lane, epoch);
                    const auto part = plan.step_rows(lane, step);
                    visited.insert(visited.end(), order.begin() + part.first,
                                   order.begin() + part.last);
                }
            std::sort(visited.begin(), visited.end());
            EXPECT_EQ(visited, all_rows(3371)) << lanes << " lanes, epoch " << epoch;
        }
}

TEST(BatchPlan, BlocksLieInOneShardAndKeepTheirLane) {
    const BatchPlan plan({3, 8, 128}, kShards);
    const std::set<std::int64_t> ends = {1000, 1001, 3346, 3371};
    for (int lane = 0; lane < 8; ++lane)
        for (const auto& block : plan.lane_blocks(lane)) {
            EXPECT_LE(block.size(), plan.block_rows());
            EXPECT_EQ(ends.upper_bound(block.first), ends.lower_bound(block.last));
        }
    auto first = plan.epoch_order(5, 1);
    auto second = plan.epoch_order(5, 2);
    EXPECT_NE(first, second);
    std::sort(first.begin(), first.end());
    std::sort(second.begin(), second.end());
    EXPECT_EQ(first, second);
}

TEST(BatchPlan, SeedChangesTheLanes) {
    const BatchPlan a({3, 8, 128}, kShards);
    const BatchPlan again({3, 8, 128}, kShards);
    const BatchPlan b({4, 8, 128}, kShards);
    EXPECT_EQ(a.lane_blocks(0), again.lane_blocks(0));
    EXPECT_EQ(a.epoch_order(2, 7), again.epoch_order(2, 7));
    EXPECT_NE(a.lane_blocks(0), b.lane_blocks(0));
}

TEST(BatchPlan, FewerRowsThanLanesLeavesLanesEmpty) {
    const BatchPlan plan({3, 8, 64}, {2, 1});
    EXPECT_EQ(plan.steps(), 1);
    EXPECT_EQ(plan.batch_rows(0), 3);
    EXPECT_EQ(plan.lane_rows(7), 0);
    EXPECT_TRUE(plan.epoch_order(7, 1).empty());
    EXPECT_EQ(plan.step_rows(7, 0), (comm::Range{0, 0}));
    EXPECT_EQ(BatchPlan({3, 8, 64}, {}).steps(), 0);
}

TEST(BatchPlan, NoShortLastBatch) {
    const BatchPlan plan({3, 8, 128}, {129});
    EXPECT_EQ(plan.steps(), 2);
    EXPECT_NEAR(plan.batch_rows(0), 64.5, 8);
    EXPECT_EQ(plan.batch_rows(0) + plan.batch_rows(1), 129);
}

TEST(BatchPlan, RefusesLanesThatDoNotFitTheBatch) {
    EXPECT_THROW(BatchPlan({1, 8, 63}, {10}), core::ConfigError);
    EXPECT_THROW(BatchPlan({1, 3, 128}, {10}), core::ConfigError);
}

}  // namespace
}  // namespace smeta::atlas
