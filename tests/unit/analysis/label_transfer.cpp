#include "smeta/analysis/label_transfer.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/analysis/placement.hpp"

namespace smeta::analysis {
namespace {

core::MatrixD line(const std::vector<double>& x) {
    core::MatrixD points(static_cast<std::int64_t>(x.size()), 1);
    for (std::size_t i = 0; i < x.size(); ++i) points(static_cast<std::int64_t>(i), 0) = x[i];
    return points;
}

TEST(LabelTransfer, weighs_neighbours_by_their_distance) {
    const LabelledPoints points(line({0, 1, 2, 10, 0.5}), {"a", "b", "b", "c", "undetermined"});
    EXPECT_EQ(points.rows(), 4);
    const std::vector<double> query = {0};
    const auto vote = points.vote(query, 3);  // distances 0, 1, 2
    const double a = 1;
    const double b = std::exp(-0.25) + std::exp(-1);
    EXPECT_EQ(vote.label, "b");
    EXPECT_NEAR(vote.confidence, b / (a + b), 1e-12);
    EXPECT_EQ(points.vote(query, 1).label, "a");
    EXPECT_EQ(points.vote(query, 1).confidence, 1);
}

TEST(LabelTransfer, equal_weights_go_to_the_first_label) {
    const LabelledPoints points(line({1, -1}), {"y", "x"});
    EXPECT_EQ(points.vote(std::vector<double>{0}, 2).label, "x");
    EXPECT_EQ(points.vote(std::vector<double>{0}, 2).confidence, 0.5);
}

TEST(LabelTransfer, scores_count_only_true_labels) {
    const auto score =
        score_labels({"a", "a", "b", "", "undetermined", "b"},
                     {{"a", 0.9}, {"b", 0.5}, {"b", 0.8}, {"a", 1}, {"b", 1}, {"b", 0.7}});
    EXPECT_EQ(score.spots, 4);
    EXPECT_EQ(score.right, 3);
    EXPECT_EQ(score.accuracy, 0.75);
    EXPECT_EQ(score.majority, 0.5);
    EXPECT_EQ(score.confident_share, 0.5);
    EXPECT_EQ(score.confident_accuracy, 1);
    // F1 of a: 2 * 1 / (2 + 1); of b: 2 * 2 / (2 + 3).
    EXPECT_NEAR(score.macro_f1, (2.0 / 3 + 4.0 / 5) / 2, 1e-12);
    EXPECT_EQ(score.labels.at("b").given, 3);
}

TEST(Placement, reference_is_the_distance_to_other_samples) {
    RunLatent latent;
    latent.samples = {"A", "B"};
    latent.first_row = {0, 3, 5};
    latent.latent = line({0, 0.1, 0.2, 5, 7});
    const auto self = comm::Comm::self();
    // Of A's three points to B's second nearest: 7, 6.9, 6.8; of B's to A's: 4.9 and 6.9.
    const std::vector<std::int64_t> rows = {0, 1, 3, 4};
    const auto distances = reference_distances(self, latent, 2, rows);
    ASSERT_EQ(distances.size(), 4);
    EXPECT_NEAR(distances[0], 7, 1e-12);
    EXPECT_NEAR(distances[1], 6.9, 1e-12);
    EXPECT_NEAR(distances[2], 4.9, 1e-12);
    EXPECT_NEAR(distances[3], 6.9, 1e-12);
    latent.samples = {"A"};
    latent.first_row = {0, 5};
    EXPECT_NEAR(reference_distances(self, latent, 1, rows).front(), 0.1, 1e-12);
}

}  // namespace
}  // namespace smeta::analysis
