#include "smeta/model/train_config.hpp"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::model {
namespace {

const std::vector<std::string> kBoth = {"sm", "st"};

struct Bound {
    ModelConfig model;
    LossConfig loss;
    TrainConfig train;
    core::ConfigTable table;
    Bound() {
        bind(table, model);
        bind(table, loss);
        bind(table, train);
    }
};

TEST(TrainConfig, KeysSetTheirFields) {
    Bound config;
    config.table.parse_toml(R"(
[model]
hidden = [64, 32]
batch_embedding = "onehot"
sm_likelihood = "zg"
[train]
mode = "custom"
reduction = "fixed_tree"
schedule = "cosine"
[loss]
st = 3
sm_corr = 0.25
kl = 0.5
)",
                            "test.toml");
    EXPECT_EQ(config.model.hidden, (std::vector<std::int64_t>{64, 32}));
    EXPECT_EQ(config.model.batch_embedding, BatchEncoding::OneHot);
    EXPECT_EQ(config.model.sm_likelihood, ReconstructionLoss::ZeroInflatedGaussian);
    EXPECT_EQ(config.train.reduction, Reduction::FixedTree);
    const LossWeights weights = resolve_weights(config.train, config.loss, kBoth, 1);
    EXPECT_EQ(weights.modality[0].correlation, 0.25);
    EXPECT_EQ(weights.modality[0].reconstruction, 1);
    EXPECT_EQ(weights.modality[1].reconstruction, 3);
    EXPECT_EQ(weights.kl, 0.5);
    EXPECT_THROW(config.table.set_from_text("train.lanes=0", "--set"), core::ConfigError);
    EXPECT_THROW(config.table.set_from_text("train.lane=8", "--set"), core::ConfigError);
}

TEST(TrainConfig, DefaultsAreThePublishedWeights) {
    const TrainConfig train;
    const LossWeights single = resolve_weights(train, {}, kBoth, 1);
    EXPECT_EQ(single.modality[1].reconstruction, 5);
    EXPECT_EQ(single.modality[0].correlation, 1);
    EXPECT_EQ(single.kl, 0.5);
    EXPECT_EQ(single.mmd, 1);
    EXPECT_EQ(single.kl_warmup, 64);
    const LossWeights multi = resolve_weights(train, {}, kBoth, 2);
    EXPECT_EQ(multi.modality[1].correlation, 8);
    EXPECT_EQ(multi.modality[0].reconstruction, 2);
    EXPECT_EQ(multi.kl, 1);
    EXPECT_EQ(multi.mmd, 10);
    const LossWeights alone = resolve_weights(train, {}, {"sm"}, 3);
    EXPECT_EQ(alone.modality[0].reconstruction, 1);
    EXPECT_EQ(alone.kl, 15);
    EXPECT_EQ(alone.mmd, 1);
    EXPECT_EQ(kl_weight(alone.kl, alone.kl_warmup, 1), 15);
}

TEST(TrainConfig, WeightOfAnAbsentModalityIsRefused) {
    LossConfig loss;
    loss.modality["protein"] = 2;
    EXPECT_THROW(resolve_weights({}, loss, kBoth, 1), core::ConfigError);
}

TEST(TrainConfig, KlWarmUpReachesItsTarget) {
    EXPECT_EQ(kl_weight(0.5, 64, 1), 0);
    EXPECT_NEAR(kl_weight(0.5, 64, 2), 0.0079365079, 1e-10);
    EXPECT_NEAR(kl_weight(0.5, 64, 33), 0.2539682540, 1e-10);
    EXPECT_EQ(kl_weight(0.5, 64, 64), 0.5);
    EXPECT_EQ(kl_weight(0.5, 64, 90), 0.5);
    EXPECT_EQ(kl_weight(0.5, 1, 1), 0.5);
}

TEST(TrainConfig, BatchKeysFollowTheNumberOfSamples) {
    ModelConfig model;
    EXPECT_TRUE(resolve_batch_keys(model, {}, 1).empty());
    EXPECT_EQ(resolve_batch_keys(model, {}, 2), std::vector<std::string>{"sample"});
    model.batch_keys = {};
    EXPECT_TRUE(resolve_batch_keys(model, {}, 2).empty());
    model.batch_keys = {"cohort", "platform"};
    EXPECT_EQ(resolve_batch_keys(model, {}, 1), model.batch_keys);
}

TEST(TrainConfig, CosineScheduleGoesFromRateToMinimum) {
    TrainConfig train;
    train.schedule = Schedule::Cosine;
    train.learning_rate = 1e-2;
    train.learning_rate_min = 1e-4;
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 0, {1, 101}), 1e-2);
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 50, {1, 101}), 0.5 * (1e-2 + 1e-4));
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 100, {1, 101}), 1e-4);
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 500, {1, 101}), 1e-4);
}

TEST(TrainConfig, LargeBatchesScaleTheRate) {
    TrainConfig train;
    train.learning_rate = 1e-3;
    train.batch_size = 2048;
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 0, {2, 10}), 1e-3);
    train.batch_scaling = BatchScaling::Sqrt;
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 0, {2, 10}), 4e-3);
    train.batch_scaling = BatchScaling::Linear;
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 0, {2, 10}), 16e-3);
    train.batch_size = 64;
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 0, {2, 10}), 0.5e-3);
}

TEST(TrainConfig, WarmupRaisesTheRateAlongAnySchedule) {
    TrainConfig train;
    train.learning_rate = 1e-2;
    train.learning_rate_warmup = 2.5;
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 0, {8, 20}), 1e-2 / 50);
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 24, {8, 20}), 1e-2 / 2);
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 49, {8, 20}), 1e-2);
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 150, {8, 20}), 1e-2);
    train.schedule = Schedule::Cosine;
    EXPECT_DOUBLE_EQ(scheduled_rate(train, 80, {8, 20}),
                     0.5e-2 * (1 + std::cos(std::numbers::pi * 80 / 159)));
}

}  // namespace
}  // namespace smeta::model
