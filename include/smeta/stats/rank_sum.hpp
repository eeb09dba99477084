#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/stats/tests.hpp"

namespace smeta::stats {

/// A value that is not 0 and the group of the row that has it, 0 ... groups - 1.
struct GroupedValue {
    float value = 0;
    std::int32_t group = 0;
};

/// Sorts by value; linear in the length (radix), in place with a buffer that grows to the length.
/// Local.
void sort_by_value(std::vector<GroupedValue>& values, std::vector<GroupedValue>& buffer);

/// Midranks 1 ... N of all rows of all groups, those without a value being 0, summed over each
/// group.
struct GroupRanks {
    std::vector<double> rank_sum;
    double ties = 0;        ///< sum of t^3 - t over runs of t equal values
    std::int64_t rows = 0;  ///< N
};
/// `sorted`: the values that are not 0, ascending; `sizes`: rows of each group. Local.
GroupRanks rank_groups(std::span<const GroupedValue> sorted, std::span<const std::int64_t> sizes);

/// The Wilcoxon rank-sum (Mann-Whitney) test of a group against the other rows ranked with it.
struct RankSumTest {
    double score = 0;    ///< normal approximation, no continuity correction; > 0: group above rest
    double p_value = 1;  ///< two-sided
    double auc = 0.5;    ///< P(group > rest) + P(equal) / 2
};
/// With the correction of the variance for ties: scanpy's rank_genes_groups(method="wilcoxon",
/// tie_correct=True). Score 0 and p 1 where one side is empty or all values are equal. Local.
RankSumTest rank_sum_test(const GroupRanks& ranks, std::int32_t group, std::int64_t size);

/// Count, mean and squares of each group's rows, zeros included; `sorted` and `sizes` as above.
std::vector<Moments> group_moments(std::span<const GroupedValue> sorted,
                                   std::span<const std::int64_t> sizes);

}  // namespace smeta::stats
