#include "smeta/model/train_plan.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::model {
namespace {

constexpr std::int64_t kGibibyte = std::int64_t{1} << 30U;
constexpr std::int64_t kMebibyte = std::int64_t{1} << 20U;
const TrainSize kSize{
    .shard_rows = {1000, 500}, .values_per_row = 100, .features = 200, .parameters = 10000};

TEST(TrainPlan, SharesLanesAndRowsOut) {
    const TrainPlan plan = plan_training({}, 1, kSize, 3, 2, kGibibyte);
    EXPECT_EQ(plan.rows, 1500);
    EXPECT_EQ(plan.steps, 12);
    EXPECT_EQ(plan.place, atlas::RowPlace::Memory);
    std::int64_t rows = 0;
    std::int64_t lanes = 0;
    for (const auto& rank : plan.ranks) {
        rows += rank.rows;
        lanes += rank.lanes.size();
        EXPECT_GT(rank.data, rank.rows * 800);
        EXPECT_GT(rank.bytes(plan.place), rank.data + rank.model);
    }
    EXPECT_EQ(rows, 1500);
    EXPECT_EQ(lanes, 8);
    EXPECT_NE(to_text(plan).find("6-7"), std::string::npos);
    EXPECT_NE(to_text(plan).find("in memory"), std::string::npos);
}

TEST(TrainPlan, StreamsWhatDoesNotFit) {
    // 1,000,000 rows of about 12 kB: 12 GB on two ranks, in windows of 16 x 256 rows.
    const TrainSize large{.shard_rows = std::vector<std::int64_t>(4, 250'000),
                          .values_per_row = 1500,
                          .features = 3000,
                          .parameters = 1'000'000};
    const TrainPlan plan = plan_training({}, 1, large, 2, 1, 4 * kGibibyte);
    EXPECT_EQ(plan.place, atlas::RowPlace::Scratch);
    for (const auto& rank : plan.ranks) {
        EXPECT_GT(rank.bytes(atlas::RowPlace::Memory), 4 * kGibibyte);
        EXPECT_LT(rank.bytes(plan.place), kGibibyte);
        // Two windows of four lanes.
        EXPECT_NEAR(static_cast<double>(rank.windows), 2 * 4 * 16 * 256 * 12064.0, 1.0);
    }
    EXPECT_NE(to_text(plan).find("streaming"), std::string::npos);
    EXPECT_NE(summary(plan).find("scratch file of about"), std::string::npos);
    EXPECT_EQ(plan_training({}, 1, large, 2, 1, 8 * kGibibyte).place, atlas::RowPlace::Memory);
    // A step that spans three windows of a lane needs four in memory.
    TrainConfig wide;
    wide.batch_size = 8 * 3 * 4096;
    EXPECT_GT(plan_training(wide, 1, large, 2, 1, 16 * kGibibyte).ranks[0].windows,
              plan.ranks[0].windows * 3 / 2);
    TrainConfig validated;
    validated.validation = 0.1;
    EXPECT_EQ(plan_training(validated, 1, large, 2, 1, 4 * kGibibyte).ranks[0].windows,
              2 * plan.ranks[0].windows);
}

TEST(TrainPlan, RefusesWhatCannotWork) {
    EXPECT_THROW(plan_training({}, 1, kSize, 9, 1, kGibibyte), core::ConfigError);
    EXPECT_THROW(plan_training({}, 1, kSize, 1, 1, 100 * kMebibyte), core::ConfigError);
    EXPECT_NO_THROW(plan_training({}, 1, kSize, 1, 1, kGibibyte));
    TrainConfig many_lanes;
    many_lanes.lanes = 32;
    EXPECT_THROW(plan_training(many_lanes, 1, kSize, 1, 1, kGibibyte), core::ConfigError);
}

}  // namespace
}  // namespace smeta::model
