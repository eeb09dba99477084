#include "smeta/model/train_plan.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::model {
namespace {

const TrainSize kSize{.shard_rows = {1000, 500}, .values_per_row = 100, .parameters = 10000};

TEST(TrainPlan, SharesLanesAndRowsOut) {
    const TrainPlan plan = plan_training({}, 1, kSize, 3, 2, std::nullopt);
    EXPECT_EQ(plan.rows, 1500);
    EXPECT_EQ(plan.steps, 12);
    std::int64_t rows = 0;
    std::int64_t lanes = 0;
    for (const auto& rank : plan.ranks) {
        rows += rank.rows;
        lanes += rank.lanes.size();
        EXPECT_GT(rank.bytes, rank.rows * 800);
    }
    EXPECT_EQ(rows, 1500);
    EXPECT_EQ(lanes, 8);
    EXPECT_NE(to_text(plan).find("6-7"), std::string::npos);
}

TEST(TrainPlan, RefusesWhatCannotWork) {
    EXPECT_THROW(plan_training({}, 1, kSize, 9, 1, std::nullopt), core::ConfigError);
    EXPECT_THROW(plan_training({}, 1, kSize, 1, 1, 1000), core::ConfigError);
    EXPECT_NO_THROW(plan_training({}, 1, kSize, 1, 1, std::int64_t{1} << 30U));
    TrainConfig many_lanes;
    many_lanes.lanes = 32;
    EXPECT_THROW(plan_training(many_lanes, 1, kSize, 1, 1, std::nullopt), core::ConfigError);
}

}  // namespace
}  // namespace smeta::model
