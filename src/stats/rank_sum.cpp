#include "smeta/stats/rank_sum.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "smeta/core/error.hpp"

namespace smeta::stats {
namespace {

constexpr std::size_t kShort = 256;  // std::sort is faster below
constexpr int kDigitBits = 11;
constexpr std::uint32_t kDigits = 1U << kDigitBits;

/// Bits that ascend as the values do.
std::uint32_t ordered_bits(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return (bits & 0x8000'0000U) != 0 ? ~bits : bits | 0x8000'0000U;
}

/// Gives midranks to the rows from `rank` on: runs of equal values, then adds them to the groups.
class RankAdder {
  public:
    explicit RankAdder(GroupRanks& ranks) : ranks_(ranks) {}
    void add_run(std::span<const GroupedValue> equal) {
        const auto count = static_cast<double>(equal.size());
        const double midrank = before_ + (count + 1) / 2;
        for (const auto& entry : equal) ranks_.rank_sum[entry.group] += midrank;
        finish_run(count);
    }
    void add_zeros(std::span<const std::int64_t> zeros) {
        const auto count =
            static_cast<double>(std::accumulate(zeros.begin(), zeros.end(), std::int64_t{0}));
        const double midrank = before_ + (count + 1) / 2;
        for (std::size_t g = 0; g < zeros.size(); ++g)
            ranks_.rank_sum[g] += midrank * static_cast<double>(zeros[g]);
        finish_run(count);
    }

  private:
    void finish_run(double count) {
        ranks_.ties += count * count * count - count;
        before_ += count;
    }
    GroupRanks& ranks_;
    double before_ = 0;
};

}  // namespace

void sort_by_value(std::vector<GroupedValue>& values, std::vector<GroupedValue>& buffer) {
    const auto by_value = [](const GroupedValue& a, const GroupedValue& b) {
        return a.value < b.value;
    };
    if (values.size() < kShort) {
        std::sort(values.begin(), values.end(), by_value);
        return;
    }
    buffer.resize(values.size());
    for (int shift = 0; shift < 32; shift += kDigitBits) {
        std::array<std::size_t, kDigits> next{};
        for (const auto& entry : values) ++next[ordered_bits(entry.value) >> shift & (kDigits - 1)];
        std::size_t begin = 0;
        for (auto& position : next) begin += std::exchange(position, begin);
        for (const auto& entry : values)
            buffer[next[ordered_bits(entry.value) >> shift & (kDigits - 1)]++] = entry;
        values.swap(buffer);
    }
}

GroupRanks rank_groups(std::span<const GroupedValue> sorted, std::span<const std::int64_t> sizes) {
    GroupRanks ranks;
    ranks.rank_sum.assign(sizes.size(), 0.0);
    ranks.rows = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    std::vector<std::int64_t> zeros(sizes.begin(), sizes.end());
    for (const auto& entry : sorted) --zeros[entry.group];
    for (const auto count : zeros)
        core::check(count >= 0, "no more values in a group than it has rows");
    RankAdder adder(ranks);
    std::size_t at = 0;
    const auto add_until = [&](const auto& ends) {
        while (at < sorted.size() && !ends(sorted[at])) {
            std::size_t end = at + 1;
            while (end < sorted.size() && sorted[end].value == sorted[at].value) ++end;
            adder.add_run(sorted.subspan(at, end - at));
            at = end;
        }
    };
    add_until([](const GroupedValue& entry) { return entry.value > 0; });
    adder.add_zeros(zeros);
    add_until([](const GroupedValue&) { return false; });
    return ranks;
}

RankSumTest rank_sum_test(const GroupRanks& ranks, std::int32_t group, std::int64_t size) {
    const auto all = static_cast<double>(ranks.rows);
    const auto inside = static_cast<double>(size);
    const double outside = all - inside;
    RankSumTest test;
    if (inside == 0 || outside == 0) return test;
    const double above = ranks.rank_sum[group] - inside * (inside + 1) / 2;
    test.auc = above / (inside * outside);
    const double untied = 1 - ranks.ties / (all * all * all - all);
    if (!(untied > 0)) return test;
    test.score = (ranks.rank_sum[group] - inside * (all + 1) / 2) /
                 std::sqrt(inside * outside * (all + 1) / 12 * untied);
    test.p_value = std::erfc(std::abs(test.score) / std::sqrt(2.0));
    return test;
}

std::vector<Moments> group_moments(std::span<const GroupedValue> sorted,
                                   std::span<const std::int64_t> sizes) {
    std::vector<Moments> moments(sizes.size());
    std::vector<double> zeros(sizes.begin(), sizes.end());
    for (const auto& entry : sorted) {
        moments[entry.group].mean += entry.value;
        zeros[entry.group] -= 1;
    }
    for (std::size_t g = 0; g < sizes.size(); ++g) {
        if (sizes[g] == 0) continue;
        auto& group = moments[g];
        group.count = static_cast<double>(sizes[g]);
        group.mean /= group.count;
        group.squares = zeros[g] * group.mean * group.mean;
    }
    for (const auto& entry : sorted) {
        const double deviation = entry.value - moments[entry.group].mean;
        moments[entry.group].squares += deviation * deviation;
    }
    return moments;
}

}  // namespace smeta::stats
