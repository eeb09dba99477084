#include "smeta/stats/mutual_information.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace smeta::stats {
namespace {

struct Points {
    std::vector<double> values;
    std::vector<std::int32_t> labels;
};

Points points() {
    Points result;
    for (int i = 0; i < 60; ++i) {
        result.values.push_back(i * 37 % 101 / 30.0 + i % 3 * 2);
        result.labels.push_back(i % 7 != 0 ? i % 3 : 3);
    }
    result.labels[5] = 4;  // alone: takes no part
    return result;
}

// scikit-learn 1.6.1, feature_selection._mutual_info._compute_mi_cd(values, labels, 3).
TEST(MutualInformation, KnownValue) {
    const auto [values, labels] = points();
    EXPECT_NEAR(MutualInformation(labels).estimate(values), 0.4489021417245347, 1e-12);
}

TEST(MutualInformation, PointsWithoutALabelTakeNoPart) {
    auto [values, labels] = points();
    const double expected = MutualInformation(labels).estimate(values);
    values.push_back(1.25);
    labels.push_back(-1);
    EXPECT_EQ(MutualInformation(labels).estimate(values), expected);
}

TEST(MutualInformation, TheEstimateIsTheMeanOfItsTerms) {
    const auto [values, labels] = points();
    std::vector<double> terms;
    const double estimate = MutualInformation(labels).estimate(values, terms);
    ASSERT_EQ(terms.size(), values.size());
    EXPECT_TRUE(std::isnan(terms[5])) << "alone with its label";
    double sum = 0;
    for (const double term : terms) sum += std::isnan(term) ? 0 : term;
    EXPECT_NEAR(sum / 59, estimate, 1e-14);
}

TEST(MutualInformation, NothingSharedIsNothingAndNoPointsHaveNone) {
    std::vector<double> values;
    std::vector<std::int32_t> labels;
    for (int i = 0; i < 400; ++i) {
        values.push_back(i * 211 % 400);
        labels.push_back(i % 2);
    }
    EXPECT_LT(MutualInformation(labels).estimate(values), 0.1);
    EXPECT_TRUE(std::isnan(MutualInformation({}).estimate({})));
}

}  // namespace
}  // namespace smeta::stats
