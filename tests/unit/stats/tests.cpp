#include "smeta/stats/tests.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace {

using namespace smeta::stats;

Moments moments(const std::vector<double>& values) {
    return moments_with_zeros(values, static_cast<std::int64_t>(values.size()));
}

TEST(Moments, CombineLikeOneSet) {
    const std::vector<double> all{3, -1, 4, 1, -5, 9, 2.5};
    Moments one;
    for (const double value : all) one.add(value);
    Moments left = moments({3, -1, 4});
    left.add(moments({1, -5, 9, 2.5}));
    left.add(Moments{});
    EXPECT_DOUBLE_EQ(one.mean, 13.5 / 7);
    EXPECT_DOUBLE_EQ(left.mean, one.mean);
    EXPECT_NEAR(left.variance(), one.variance(), 1e-13);
    const Moments zeros = moments_with_zeros(std::vector<double>{2.0}, 4);
    EXPECT_DOUBLE_EQ(zeros.mean, 0.5);
    EXPECT_DOUBLE_EQ(zeros.variance(), 1.0);
}

// p = 2 * t.sf(|t|, 4) in closed form: the integral of the t density with 4 degrees of freedom.
TEST(Welch, MatchesTheClosedFormAtFourDegreesOfFreedom) {
    // Equal variances and sizes of 3: Welch's degrees of freedom are exactly 4. t = 3 / sqrt(2/3).
    const TestResult result = welch_t_test(moments({4, 5, 6}), moments({1, 2, 3}));
    const double t = 3.0 / std::sqrt(2.0 / 3.0);
    const double s = t / std::sqrt(4.0 + t * t);
    EXPECT_NEAR(result.statistic, t, 1e-14);
    EXPECT_NEAR(result.degrees_of_freedom, 4.0, 1e-13);
    EXPECT_NEAR(result.p_value, 1.0 - 1.5 * s * (1.0 - s * s / 3.0), 1e-13);
}

TEST(Welch, UnequalVariances) {
    // a = 1, variance 14/3 of 4 numbers = 7/6; b: variance 1/3 of 3 = 1/9.
    const TestResult result = welch_t_test(moments({1, 2, 4, 6}), moments({7, 8, 8}));
    const double a = 4.916666666666667 / 4;
    const double b = (1.0 / 3.0) / 3;
    EXPECT_NEAR(result.statistic, (3.25 - 23.0 / 3.0) / std::sqrt(a + b), 1e-13);
    EXPECT_NEAR(result.degrees_of_freedom, (a + b) * (a + b) / (a * a / 3 + b * b / 2), 1e-12);
    EXPECT_LT(result.statistic, 0.0);
}

TEST(Welch, UndefinedCases) {
    EXPECT_EQ(welch_t_test(moments({1, 1}), moments({1, 1, 1})).p_value, 1.0);
    EXPECT_EQ(welch_t_test(moments({1, 1}), moments({1, 1, 1})).statistic, 0.0);
    EXPECT_EQ(welch_t_test(moments({1}), moments({2, 3})).p_value, 1.0);
    EXPECT_EQ(welch_t_test(moments({2, 2}), moments({1, 1})).p_value, 0.0);
    EXPECT_EQ(welch_t_test(moments({2, std::nan("")}), moments({1, 1})).p_value, 1.0);
}

TEST(Welch, FarTailDoesNotVanish) {
    Moments group{1000, 1.0, 999.0};
    Moments rest{1000, 0.0, 999.0};
    const double p = welch_t_test(group, rest).p_value;
    EXPECT_GT(p, 0.0);
    EXPECT_LT(p, 1e-90);
}

TEST(BenjaminiHochberg, HandComputed) {
    const std::vector<double> p{0.01, 0.04, 0.03, std::nan(""), 0.005};
    const std::vector<double> q = benjamini_hochberg(p);
    EXPECT_DOUBLE_EQ(q[0], 0.02);
    EXPECT_DOUBLE_EQ(q[1], 0.04);
    EXPECT_DOUBLE_EQ(q[2], 0.04);
    EXPECT_TRUE(std::isnan(q[3]));
    EXPECT_DOUBLE_EQ(q[4], 0.02);
    EXPECT_TRUE(benjamini_hochberg({}).empty());
    EXPECT_EQ(benjamini_hochberg(std::vector<double>{1.0}), std::vector<double>{1.0});
}

TEST(FoldChange, OfLogMeans) {
    EXPECT_NEAR(log2_fold_change(std::log1p(8.0), std::log1p(2.0)), 2.0, 1e-8);
    EXPECT_NEAR(log2_fold_change(0.0, 0.0), 0.0, 0.0);
    EXPECT_NEAR(log2_fold_change(std::log1p(1.0), 0.0), std::log2(1e9 + 1.0), 1e-9);
}

TEST(Hypergeometric, GoldenAndEnds) {
    EXPECT_NEAR(hypergeometric_tail(4, 1000, 50, 20), 0.014808844759544488, 1e-13);
    EXPECT_EQ(hypergeometric_tail(0, 10, 3, 4), 1.0);
    EXPECT_EQ(hypergeometric_tail(4, 10, 3, 4), 0.0);
    EXPECT_NEAR(hypergeometric_tail(3, 10, 3, 4), 4.0 / 120.0, 1e-15);
    EXPECT_EQ(hypergeometric_tail(1, 10, 8, 4), 1.0);
    EXPECT_EQ(hypergeometric_tail(2, 10, 8, 4), 1.0);
}

TEST(Correlation, HandComputed) {
    const std::vector<double> x{1, 2, 3};
    EXPECT_DOUBLE_EQ(pearson(x, std::vector<double>{2, 4, 6}), 1.0);
    EXPECT_DOUBLE_EQ(pearson(x, std::vector<double>{6, 4, 2}), -1.0);
    EXPECT_NEAR(pearson(x, std::vector<double>{1, 3, 2}), 0.5, 1e-15);
    EXPECT_TRUE(std::isnan(pearson(x, std::vector<double>{5, 5, 5})));
    EXPECT_NEAR(cosine(x, std::vector<double>{3, 0, -1}), 0.0, 1e-15);
    EXPECT_NEAR(cosine(x, std::vector<double>{1, 0, 0}), 1.0 / std::sqrt(14.0), 1e-15);
    EXPECT_TRUE(std::isnan(cosine(x, std::vector<double>{0, 0, 0})));
}

// scipy.stats.chi2.sf.
TEST(ChiSquared, KnownTails) {
    EXPECT_NEAR(chi_squared_tail(3.841458820694124, 1), 0.05, 1e-12);
    EXPECT_NEAR(chi_squared_tail(7.5, 4), 0.11170929281604328, 1e-12);
    EXPECT_EQ(chi_squared_tail(0, 3), 1);
}

}  // namespace
