#include "smeta/analysis/partition_scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "smeta/core/error.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// How many points have label i in `a` and j in `b`, with the margins.
struct Contingency {
    std::int64_t points = 0;
    std::vector<std::int64_t> rows;
    std::vector<std::int64_t> columns;
    std::vector<std::int64_t> cells;  ///< rows x columns

    Contingency(std::span<const std::int32_t> a, std::span<const std::int32_t> b)
        : points(static_cast<std::int64_t>(a.size())) {
        core::check(a.size() == b.size(), "two labels a point");
        const auto groups = [](std::span<const std::int32_t> labels) {
            return labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
        };
        rows.assign(groups(a), 0);
        columns.assign(groups(b), 0);
        cells.assign(rows.size() * columns.size(), 0);
        for (std::size_t i = 0; i < a.size(); ++i) {
            ++rows[a[i]];
            ++columns[b[i]];
            ++cells[a[i] * columns.size() + b[i]];
        }
    }
};

double sum_of_squares(const std::vector<std::int64_t>& counts) {
    double sum = 0;
    for (const auto c : counts) sum += static_cast<double>(c) * static_cast<double>(c);
    return sum;
}

double entropy(const std::vector<std::int64_t>& counts, double points) {
    double sum = 0;
    for (const auto c : counts)
        if (c > 0) {
            const double share = static_cast<double>(c) / points;
            sum -= share * std::log(share);
        }
    return sum;
}

}  // namespace

double adjusted_rand_index(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
    const Contingency table(a, b);
    if (table.points == 0) return kNaN;
    const auto n = static_cast<double>(table.points);
    const double both = sum_of_squares(table.cells);
    const double in_a = sum_of_squares(table.rows);
    const double in_b = sum_of_squares(table.columns);
    // Ordered pairs of points: together in both, in one only, in none.
    const double together = both - n;
    const double only_a = in_a - both;
    const double only_b = in_b - both;
    const double apart = n * n - in_a - in_b + both;
    if (only_a == 0 && only_b == 0) return 1;
    return 2 * (together * apart - only_a * only_b) /
           ((together + only_a) * (only_a + apart) + (together + only_b) * (only_b + apart));
}

double normalized_mutual_information(std::span<const std::int32_t> a,
                                     std::span<const std::int32_t> b) {
    const Contingency table(a, b);
    if (table.points == 0) return kNaN;
    const auto used = [](const std::vector<std::int64_t>& counts) {
        return std::count_if(counts.begin(), counts.end(), [](auto c) { return c > 0; });
    };
    if (used(table.rows) == 1 && used(table.columns) == 1) return 1;
    const auto n = static_cast<double>(table.points);
    double information = 0;
    for (std::size_t i = 0; i < table.rows.size(); ++i)
        for (std::size_t j = 0; j < table.columns.size(); ++j) {
            const auto cell = static_cast<double>(table.cells[i * table.columns.size() + j]);
            if (cell > 0)
                information += cell / n *
                               std::log(cell * n /
                                        (static_cast<double>(table.rows[i]) *
                                         static_cast<double>(table.columns[j])));
        }
    if (information <= std::numeric_limits<double>::epsilon()) return 0;
    return information / ((entropy(table.rows, n) + entropy(table.columns, n)) / 2);
}

}  // namespace smeta::analysis
