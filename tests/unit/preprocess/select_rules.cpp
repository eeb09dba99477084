#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/preprocess/select.hpp"

namespace {

using namespace smeta;
using preprocess::FeatureStatistics;
using preprocess::SampleFeatures;
using preprocess::SelectConfig;
using Reasons = std::vector<std::string>;

constexpr double kConstant = std::numeric_limits<double>::quiet_NaN();

// 100 spots whose log values have the given mean and a standard deviation of 0.1.
FeatureStatistics feature(double morans_i, double mean = 1.0, double positive = 1.0) {
    return {morans_i, {100, mean, 0.99}, positive};
}

TEST(SelectRules, OneSampleTakesTheTopOfEachModality) {
    const std::vector<SampleFeatures> samples{
        {"s", {"b", "a", "d", "c"}, {feature(.5), feature(.5), feature(kConstant), feature(-.1)}}};
    SelectConfig config;
    config.n_genes = 1;
    const auto selection = select_features("st", samples, config);
    EXPECT_EQ(selection.names, (Reasons{"a", "b", "c", "d"}));
    EXPECT_EQ(selection.reason, (Reasons{"", "low_rank", "low_rank", "constant"}));
    EXPECT_EQ(select_features("sm", samples, config).reason, (Reasons{"", "", "", "constant"}));
    EXPECT_EQ(select_features("protein", samples, config).reason, (Reasons{"", "", "", ""}));
}

TEST(SelectRules, DefaultLengthsDependOnTheNumberOfSamples) {
    SampleFeatures sample{"a", {}, {}};
    for (int f = 0; f < 3000; ++f) {
        sample.names.push_back("g" + std::to_string(10000 + f));
        sample.statistics.push_back(feature(1.0 - f * 1e-4));
    }
    const auto count = [](const preprocess::Selection& selection) {
        return std::count(selection.reason.begin(), selection.reason.end(), "");
    };
    EXPECT_EQ(count(preprocess::select_features("st", {sample}, {})), 2000);
    EXPECT_EQ(count(preprocess::select_features("sm", {sample}, {})), 800);
    SampleFeatures other = sample;
    other.sample = "b";
    EXPECT_EQ(count(preprocess::select_features("st", {sample, other}, {})), 2500);
    EXPECT_EQ(count(preprocess::select_features("sm", {sample, other}, {})), 1000);
}

TEST(SelectRules, PoliciesLookAtTheSamplesThatMeasuredAFeature) {
    const std::vector<SampleFeatures> samples{
        {"1", {"x", "y", "z"}, {feature(.9), feature(.8), feature(.7)}},
        {"2", {"x", "y"}, {feature(.9), feature(.8)}},
        {"3", {"x"}, {feature(.9)}}};
    SelectConfig config;
    config.min_samples = 1;
    EXPECT_EQ(select_features("st", samples, config).reason, (Reasons{"", "", ""}));
    config.min_coverage = 0.5;
    EXPECT_EQ(select_features("st", samples, config).reason, (Reasons{"", "", "low_coverage"}));
    EXPECT_EQ(select_features("protein", samples, config).reason,
              (Reasons{"", "", "low_coverage"}));
    config.features = preprocess::FeaturePolicy::Intersection;
    EXPECT_EQ(select_features("st", samples, config).reason,
              (Reasons{"", "low_coverage", "low_coverage"}));
}

TEST(SelectRules, FeaturesNeedEnoughLists) {
    const auto sample = [](const char* name, double x, double y, double z) {
        return SampleFeatures{name, {"x", "y", "z"}, {feature(x), feature(y), feature(z)}};
    };
    const std::vector<SampleFeatures> samples{sample("1", .9, .8, .1), sample("2", .9, .8, .1),
                                              sample("3", .9, .1, .8), sample("4", .1, .9, .8)};
    SelectConfig config;
    config.n_genes = 2;
    EXPECT_EQ(select_features("st", samples, config).reason, (Reasons{"", "", "few_samples"}));
    EXPECT_EQ(select_features("st", samples, config).n_lists, (std::vector<std::int64_t>{3, 3, 2}));
    config.min_samples = 2;
    EXPECT_EQ(select_features("st", samples, config).reason, (Reasons{"", "", ""}));
    config.min_samples = 4;
    EXPECT_EQ(select_features("st", samples, config).reason,
              (Reasons{"few_samples", "few_samples", "few_samples"}));
}

TEST(SelectRules, RemovesFeaturesThatMarkOneSample) {
    // log1p means of 3 and 0.2: 19.1 against 0.22, a log2 fold change of 6.4.
    const std::vector<std::string> names{"everywhere", "marks_a", "rare", "small_change"};
    const auto sample = [&](const char* name, double level, double changed) {
        return SampleFeatures{
            name,
            names,
            {feature(.5), feature(.5, level), feature(.5, level, 0.85), feature(.5, changed)}};
    };
    // log2((e^2 - 1) / (e^0.8 - 1)) = 2.4: beyond the candidate's limit, below min_logfc.
    const std::vector<SampleFeatures> samples{sample("a", 3.0, 2.0), sample("b", 0.2, 0.8),
                                              sample("c", 0.2, 0.8)};
    const auto selection = select_features("st", samples, {});
    EXPECT_EQ(selection.reason, (Reasons{"", "batch_biased", "", ""}));
    EXPECT_EQ(selection.biased_in, (Reasons{"", "a", "", ""}));
    SelectConfig config;
    config.min_frac = 0.8;
    config.min_logfc = 2.0;
    EXPECT_EQ(select_features("sm", samples, config).reason,
              (Reasons{"", "batch_biased", "batch_biased", "batch_biased"}));
    config.batch_biased = preprocess::BatchBiased::Keep;
    EXPECT_EQ(select_features("st", samples, config).reason, (Reasons{"", "", "", ""}));
}

TEST(SelectRules, AFeatureOfOneSampleIsComparedWithNothing) {
    const std::vector<SampleFeatures> samples{{"a", {"x", "y"}, {feature(.5, 5.0), feature(.5)}},
                                              {"b", {"y"}, {feature(.5)}}};
    SelectConfig config;
    config.min_samples = 1;
    EXPECT_EQ(select_features("st", samples, config).reason, (Reasons{"", ""}));
}

TEST(FeatureStatistics, NormaliseThenMeasure) {
    // Two features on a line of three spots; counts 1 3, 0 0, 2 2 a spot.
    core::CountsCsr by_feature;
    by_feature.cols = 3;
    by_feature.append_row(std::vector<std::int32_t>{0, 2}, std::vector<float>{1, 2});
    by_feature.append_row(std::vector<std::int32_t>{0, 2}, std::vector<float>{3, 2});
    core::MatrixD points(3, 2);
    points << 0, 0, 1, 0, 2, 0;
    const auto graph = spatial::spatial_graph(points, std::nullopt);
    for (const std::string modality : {"st", "sm"}) {
        const auto statistics = preprocess::feature_statistics(modality, by_feature, graph);
        const double a = std::log1p(2500.0);
        const double b = std::log1p(5000.0);
        EXPECT_DOUBLE_EQ(statistics[0].log_values.mean, (a + b) / 3);
        EXPECT_DOUBLE_EQ(statistics[0].positive_fraction, 2.0 / 3);
        // Every spot neighbours both others with weight 1/2: I = -1/2 whatever the values.
        EXPECT_NEAR(statistics[0].morans_i, -0.5, 1e-14);
    }
    const auto raw = preprocess::feature_statistics("protein", by_feature, graph);
    EXPECT_EQ(raw[0].log_values.count, 0.0);
}

TEST(FeatureStatistics, DoNotDependOnThreads) {
    const core::Philox random(3, core::DrawPurpose::Test);
    core::CountsCsr by_feature;
    by_feature.cols = 120;
    for (int f = 0; f < 300; ++f) {
        std::vector<std::int32_t> rows;
        std::vector<float> values;
        for (int r = 0; r < 120; ++r) {
            if (random.uniform(f * 120 + r) > 0.01 * (f % 100)) continue;
            rows.push_back(r);
            values.push_back(static_cast<float>(random.uniform(f * 120 + r) * 50));
        }
        by_feature.append_row(rows, values);
    }
    core::MatrixD points(120, 2);
    for (int r = 0; r < 120; ++r) points.row(r) << r % 12, r / 12;
    const auto graph = spatial::spatial_graph(points, std::nullopt);
    core::set_threads(1);
    const auto one = preprocess::feature_statistics("st", by_feature, graph);
    core::set_threads(3);
    const auto three = preprocess::feature_statistics("st", by_feature, graph);
    for (std::size_t f = 0; f < one.size(); ++f) {
        const bool both_constant = std::isnan(one[f].morans_i) && std::isnan(three[f].morans_i);
        EXPECT_TRUE(both_constant || one[f].morans_i == three[f].morans_i);
        EXPECT_EQ(one[f].log_values.mean, three[f].log_values.mean);
        EXPECT_EQ(one[f].log_values.squares, three[f].log_values.squares);
    }
}

}  // namespace
