#include "smeta/stats/exact_sum.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

namespace {

using smeta::stats::ExactSum;

double sum_of(const std::vector<double>& values) {
    ExactSum sum;
    sum.add(values);
    return sum.value();
}

TEST(ExactSum, KeepsWhatPlainAdditionLoses) {
    EXPECT_EQ(sum_of({1e100, 1.0, -1e100}), 1.0);
    EXPECT_EQ(sum_of({1e308, 1e308, -1e308}), 1e308);
    EXPECT_EQ(sum_of({1.0, 1e-30, -1.0}), 1e-30);
    EXPECT_EQ(sum_of({-3.5, 1.25}), -2.25);
    EXPECT_EQ(sum_of({}), 0.0);
    EXPECT_EQ(sum_of({0.0, -0.0}), 0.0);
}

TEST(ExactSum, RoundsOnceToTheNearestEven) {
    const double ulp = std::ldexp(1.0, -52);
    EXPECT_EQ(sum_of({1.0, ulp / 2}), 1.0);
    EXPECT_EQ(sum_of({1.0, ulp / 2, std::ldexp(1.0, -1000)}), 1.0 + ulp);
    EXPECT_EQ(sum_of({1.0 + ulp, ulp / 2}), 1.0 + 2 * ulp);
    EXPECT_EQ(sum_of({1.0 + ulp, ulp / 2, -std::ldexp(1.0, -1000)}), 1.0 + ulp);
}

TEST(ExactSum, ReachesBothEndsOfTheRange) {
    const double tiny = std::numeric_limits<double>::denorm_min();
    const double huge = std::numeric_limits<double>::max();
    EXPECT_EQ(sum_of({tiny, tiny}), 2 * tiny);
    EXPECT_EQ(sum_of({huge, tiny, -huge}), tiny);
    EXPECT_EQ(sum_of({-tiny}), -tiny);
    EXPECT_EQ(sum_of({huge}), huge);
    EXPECT_EQ(sum_of({huge, huge}), std::numeric_limits<double>::infinity());
    EXPECT_EQ(sum_of({-huge, -huge}), -std::numeric_limits<double>::infinity());
}

TEST(ExactSum, DoesNotDependOnOrderOrGrouping) {
    const smeta::core::Philox random(1, smeta::core::DrawPurpose::Test);
    std::vector<double> values;
    for (int i = 0; i < 5000; ++i)
        values.push_back(random.normal(i) * std::ldexp(1.0, i % 300 - 150));
    const double expected = sum_of(values);
    std::reverse(values.begin(), values.end());
    EXPECT_EQ(sum_of(values), expected);
    ExactSum first;
    ExactSum second;
    for (std::size_t i = 0; i < values.size(); ++i) (i % 3 == 0 ? first : second).add(values[i]);
    first.add(second);
    EXPECT_EQ(first.value(), expected);
}

TEST(ExactSum, RefusesNaN) {
    ExactSum sum;
    EXPECT_THROW(sum.add(std::nan("")), smeta::core::NumericError);
    EXPECT_THROW(sum.add(std::numeric_limits<double>::infinity()), smeta::core::NumericError);
}

}  // namespace
