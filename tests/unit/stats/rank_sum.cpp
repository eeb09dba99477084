#include "smeta/stats/rank_sum.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"

namespace {

using namespace smeta;
using stats::GroupedValue;

TEST(SortByValue, RadixGivesTheOrderOfStdSort) {
    const core::Philox random(3, core::DrawPurpose::Test);
    std::vector<GroupedValue> values;
    for (std::uint64_t i = 0; i < 5000; ++i)
        values.push_back({static_cast<float>(random.normal(i) * std::pow(10.0, random.below(i, 9))),
                          static_cast<std::int32_t>(i % 7)});
    values.push_back({-0.0F, 0});
    auto expected = values;
    std::stable_sort(expected.begin(), expected.end(),
                     [](const auto& a, const auto& b) { return a.value < b.value; });
    std::vector<GroupedValue> buffer;
    stats::sort_by_value(values, buffer);
    ASSERT_EQ(values.size(), expected.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(values[i].value, expected[i].value);
        EXPECT_EQ(values[i].group, expected[i].group);
    }
}

// Midranks from counting: the plain twin.
std::vector<double> plain_rank_sums(const std::vector<double>& values,
                                    const std::vector<std::int32_t>& groups, std::int32_t count) {
    std::vector<double> sums(count, 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) {
        double rank = 0.5;
        for (const double other : values)
            rank += other < values[i] ? 1.0 : other == values[i] ? 0.5 : 0.0;
        sums[groups[i]] += rank;
    }
    return sums;
}

TEST(RankGroups, ZerosStandBetweenNegativeAndPositiveValues) {
    const core::Philox random(4, core::DrawPurpose::Test);
    for (const std::uint64_t rows : {0U, 1U, 2U, 57U, 400U}) {
        std::vector<double> values;
        std::vector<std::int32_t> groups;
        std::vector<std::int64_t> sizes(3, 0);
        std::vector<GroupedValue> stored;
        for (std::uint64_t i = 0; i < rows; ++i) {
            values.push_back(static_cast<double>(random.below(2 * i, 7)) - 2);
            groups.push_back(static_cast<std::int32_t>(random.below(2 * i + 1, 3)));
            ++sizes[groups.back()];
            if (values.back() != 0)
                stored.push_back({static_cast<float>(values.back()), groups.back()});
        }
        std::vector<GroupedValue> buffer;
        stats::sort_by_value(stored, buffer);
        const auto ranks = stats::rank_groups(stored, sizes);
        EXPECT_EQ(ranks.rows, static_cast<std::int64_t>(rows));
        EXPECT_EQ(ranks.rank_sum, plain_rank_sums(values, groups, 3));
        double ties = 0;
        for (double v = -2; v < 5; ++v) {
            const auto t = static_cast<double>(std::count(values.begin(), values.end(), v));
            ties += t * t * t - t;
        }
        EXPECT_EQ(ranks.ties, ties);
        const auto moments = stats::group_moments(stored, sizes);
        for (std::int32_t g = 0; g < 3; ++g) {
            stats::Moments plain;
            for (std::size_t i = 0; i < values.size(); ++i)
                if (groups[i] == g) plain.add(values[i]);
            EXPECT_EQ(moments[g].count, plain.count);
            EXPECT_NEAR(moments[g].mean, plain.mean, 1e-12);
            EXPECT_NEAR(moments[g].squares, plain.squares, 1e-10);
        }
    }
}

// Group {1, 4, 5} against {2, 3, 3, 0}: ranks 2, 6, 7 of 7, one run of two equal values.
TEST(RankSumTest, ByHand) {
    const std::vector<GroupedValue> sorted{{1, 0}, {2, 1}, {3, 1}, {3, 1}, {4, 0}, {5, 0}};
    const auto ranks = stats::rank_groups(sorted, std::vector<std::int64_t>{3, 4});
    const auto test = stats::rank_sum_test(ranks, 0, 3);
    const double variance = 3.0 * 4.0 * 8.0 / 12.0 * (1 - 6.0 / (343.0 - 7.0));
    EXPECT_DOUBLE_EQ(test.score, (15.0 - 12.0) / std::sqrt(variance));
    EXPECT_DOUBLE_EQ(test.auc, 9.0 / 12.0);
    EXPECT_DOUBLE_EQ(test.p_value, std::erfc(test.score / std::sqrt(2.0)));
    const auto other = stats::rank_sum_test(ranks, 1, 4);
    EXPECT_DOUBLE_EQ(other.score, -test.score);
    EXPECT_DOUBLE_EQ(other.auc, 1 - test.auc);
}

TEST(RankSumTest, NothingToTellApart) {
    const auto equal = stats::rank_groups({}, std::vector<std::int64_t>{3, 4});
    EXPECT_EQ(stats::rank_sum_test(equal, 0, 3).score, 0.0);
    EXPECT_EQ(stats::rank_sum_test(equal, 0, 3).p_value, 1.0);
    EXPECT_EQ(stats::rank_sum_test(equal, 0, 3).auc, 0.5);
    const auto alone = stats::rank_groups({}, std::vector<std::int64_t>{3, 0});
    EXPECT_EQ(stats::rank_sum_test(alone, 0, 3).p_value, 1.0);
}

}  // namespace
