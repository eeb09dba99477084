#include "smeta/analysis/published_totals.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace smeta::analysis {
namespace {

Score score(const std::string& name, const std::string& scope, double value) {
    return {name, ScoreGroup::Biology, {{scope, 10, value}}};
}

// By hand: two methods, the second without reconstruction.
std::vector<ComparedScores> compared() {
    return {
        {"a",
         {score("chaos", "mean", 0.2), score("pas", "mean", 0.4), score("moran_st", "mean", 0.5),
          score("geary_st", "mean", 0.6), score("specificity_st", "mean", 3),
          score("pearson_st", "mean", 0.7), score("ari", "mean", 0.3), score("nmi", "mean", 0.5),
          score("ilisi", "all", 0.9)}},
        {"b",
         {score("chaos", "mean", 0.4), score("pas", "mean", 0.4), score("moran_st", "mean", 0.1),
          score("geary_st", "mean", 0.6), score("specificity_st", "mean", 2),
          score("ari", "mean", 0.1), score("nmi", "mean", 0.1), score("ilisi", "all", 0.5)}}};
}

TEST(PublishedTotals, SeveralSamples) {
    const auto totals = published_totals(compared(), Comparison::SeveralSamples);
    ASSERT_EQ(totals.size(), 2U);
    EXPECT_NEAR(totals[0].continuity, 0.7, 1e-15);
    EXPECT_NEAR(totals[0].markers, (0.5 + 0.4 + 1) / 3, 1e-15);
    EXPECT_NEAR(totals[1].markers, (0.1 + 0.4 + 0) / 3, 1e-15);
    EXPECT_TRUE(std::isnan(totals[0].reconstruction)) << "one value cannot be scaled";
    EXPECT_NEAR(totals[0].biology, 0.4, 1e-15);
    EXPECT_NEAR(totals[0].batch, 0.9, 1e-15);
    const double modality = (0.7 + 1.9 / 3) / 2;
    EXPECT_NEAR(totals[0].cross_modality, modality, 1e-15);
    EXPECT_NEAR(totals[0].cross_sample, 0.65, 1e-15);
    EXPECT_NEAR(totals[0].total, (modality + 0.65) / 2, 1e-15);
}

TEST(PublishedTotals, OneSampleHasNoBatchesInItsTotal) {
    const auto totals = published_totals(compared(), Comparison::OneSample);
    EXPECT_NEAR(totals[1].total, (0.6 + 0.5 / 3 + 0.1) / 3, 1e-15);
}

TEST(PublishedTotals, TheBestReconstructionBecomesOne) {
    auto methods = compared();
    methods[1].scores.push_back(score("pearson_st", "mean", 0.2));
    const auto totals = published_totals(methods, Comparison::SeveralSamples);
    EXPECT_EQ(totals[0].reconstruction, 1);
    EXPECT_EQ(totals[1].reconstruction, 0);
}

TEST(ScoreValue, BoundsAreQuantilesOfTheReplicatesAboutTheValue) {
    ScoreValue value{"all", 3, 0.5, {0.1, std::nan(""), 0.3, 0.2}};
    EXPECT_NEAR(value.bound(0.5), 0.5, 1e-15);
    EXPECT_NEAR(value.bound(0.25), 0.45, 1e-15);
    EXPECT_TRUE(std::isnan(ScoreValue{}.bound(0.5)));
}

TEST(ScoreValue, TheMeanOfSamplesIsTakenReplicateByReplicate) {
    Score score{
        "ari",
        ScoreGroup::Biology,
        {{"a", 10, 0.2, {0.1, 0.3}}, {"b", 30, 0.4, {0.5, 0.3}}, {"c", 5, std::nan(""), {}}}};
    add_mean_of_samples(score);
    const auto& mean = score.values.back();
    EXPECT_EQ(mean.scope, kScopeMean);
    EXPECT_EQ(mean.spots, 40);
    EXPECT_NEAR(mean.value, 0.3, 1e-15);
    ASSERT_EQ(mean.replicates.size(), 2U);
    EXPECT_NEAR(mean.replicates[0], 0.3, 1e-15);
}

}  // namespace
}  // namespace smeta::analysis
