#include "smeta/analysis/batch_scores.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"

namespace smeta::analysis {
namespace {

core::MatrixD random_points(Eigen::Index rows) {
    const core::Philox random(11, core::DrawPurpose::Test);
    core::MatrixD points(rows, 3);
    for (Eigen::Index i = 0; i < points.size(); ++i)
        points.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return points;
}

// Values of the published definition in double precision (distances .05 ... 4.5, labels in turn,
// perplexity 30).
TEST(Lisi, GoldenRow) {
    std::vector<double> distances;
    std::vector<std::int32_t> labels;
    for (int i = 0; i < 90; ++i) {
        distances.push_back(.05 * (i + 1));
        labels.push_back(i % 3);
    }
    const auto row = lisi(distances, labels, 30);
    EXPECT_NEAR(row.beta, 1.807952880859375, 1e-10);
    EXPECT_NEAR(row.value, 2.983778051079701, 1e-10);
    const std::vector<std::int32_t> one(90, 0);
    EXPECT_NEAR(lisi(distances, one, 30).value, 1, 1e-12);
}

TEST(Silhouette, GoldenPoints) {
    core::MatrixD points(6, 2);
    points << 0, 0, 0, 1, 1, 0, 5, 5, 5, 6, 9, 0;
    const std::vector<std::int32_t> labels{0, 0, 0, 1, 1, 2};
    const auto widths = silhouette(points, labels);
    double mean = 0;
    for (const double w : widths) mean += w / 6;
    EXPECT_NEAR((mean + 1) / 2, .8511875938902149, 1e-10);
    EXPECT_EQ(widths[5], 0) << "a group of one";
}

TEST(BatchScores, TellMixedFromSeparated) {
    auto points = random_points(400);
    std::vector<std::int32_t> batches(400);
    for (std::size_t i = 0; i < 400; ++i) batches[i] = static_cast<std::int32_t>(i % 2);
    const std::vector<std::int32_t> labels(400, 0);
    const auto mixed = batch_mixing(points, batches, labels);
    EXPECT_GT(mixed.ilisi, 0.8);
    EXPECT_GT(mixed.batch_asw, 0.95);
    EXPECT_NEAR(mixed.neighbor_mixing, 1, 0.1);

    for (Eigen::Index i = 1; i < 400; i += 2) points(i, 0) += 50;
    const auto apart = batch_mixing(points, batches, labels);
    EXPECT_NEAR(apart.ilisi, 0, 1e-9);
    EXPECT_LT(apart.batch_asw, 0.2);
    EXPECT_EQ(apart.neighbor_mixing, 0);
}

TEST(BatchScores, AreAbsentWithOneBatch) {
    const auto points = random_points(10);
    const std::vector<std::int32_t> same(10, 0);
    const auto scores = batch_mixing(points, same, same);
    EXPECT_TRUE(std::isnan(scores.ilisi));
    EXPECT_TRUE(std::isnan(scores.batch_asw));
    EXPECT_TRUE(std::isnan(scores.neighbor_mixing));
}

TEST(BatchScores, SkipLabelsWithoutTwoBatches) {
    const auto points = random_points(6);
    const std::vector<std::int32_t> batches{0, 0, 0, 1, 0, 1};
    const std::vector<std::int32_t> labels{0, 0, 0, 1, 1, 1};
    const core::MatrixD part = points.bottomRows(3);
    const std::vector<std::int32_t> part_batches{1, 0, 1};
    double expected = 0;
    for (const double s : silhouette(part, part_batches)) expected += (1 - std::abs(s)) / 3;
    EXPECT_NEAR(batch_silhouette(points, batches, labels), expected, 1e-12);
}

TEST(Median, OfOddEvenAndNone) {
    EXPECT_EQ(median({3, 1, 2}), 2);
    EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
    EXPECT_TRUE(std::isnan(median({})));
}

}  // namespace
}  // namespace smeta::analysis
