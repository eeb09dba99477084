#include "smeta/analysis/markers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/tsv.hpp"
#include "smeta/stats/rank_sum.hpp"
#include "smeta/stats/tests.hpp"

#include "feature_columns.hpp"
#include "logistic_markers.hpp"

namespace smeta::analysis {
namespace {

using stats::GroupedValue;

/// A cell is a group in a sample: sample * groups + group.
struct Cells {
    std::int32_t groups = 0;
    std::vector<std::int32_t> of_row;
    core::Matrix<std::int64_t> sizes;  ///< samples x groups
};

Cells make_cells(const RunValues& values, const Groups& groups) {
    const auto samples = static_cast<std::int32_t>(values.samples().size());
    Cells cells{groups.count(), {}, {}};
    cells.of_row.reserve(groups.codes.size());
    cells.sizes.setZero(samples, groups.count());
    for (std::int32_t s = 0; s < samples; ++s)
        for (auto row = values.first_row()[s]; row < values.first_row()[s + 1]; ++row) {
            const auto group = groups.codes[row];
            cells.of_row.push_back(group < 0 ? -1 : s * cells.groups + group);
            if (group >= 0) ++cells.sizes(s, group);
        }
    return cells;
}

/// The tests of one feature after the other; one object a thread.
class FeatureTests {
  public:
    FeatureTests(const RunValues& values, const Cells& cells, std::int32_t reference,
                 const MarkerOptions& options)
        : values_(values), cells_(cells), reference_(reference), options_(options) {}

    std::vector<Marker> run(detail::FeatureColumn& column) {
        found_.clear();
        feature_ = column.feature;
        stats::sort_by_value(column.values, buffer_);
        if (options_.scope == MarkerScope::AllSamples)
            test_all(column.values);
        else
            test_within_samples(column.values);
        return std::move(found_);
    }

  private:
    bool is_measured(std::int32_t sample) const {
        return values_.features().is_measured(sample, feature_) != 0;
    }
    std::vector<std::int64_t> sizes_in(std::int32_t sample) const {
        const auto row = cells_.sizes.row(sample);
        return {row.data(), row.data() + cells_.groups};
    }
    void test_all(std::vector<GroupedValue>& sorted) {
        std::vector<std::int64_t> sizes(cells_.groups, 0);
        for (std::int32_t s = 0; s < cells_.sizes.rows(); ++s)
            for (std::int32_t g = 0; g < cells_.groups && is_measured(s); ++g)
                sizes[g] += cells_.sizes(s, g);
        for (auto& entry : sorted) entry.group %= cells_.groups;
        compare(sorted, sizes, -1);
    }
    void test_within_samples(const std::vector<GroupedValue>& sorted) {
        std::vector<std::vector<GroupedValue>> by_sample(cells_.sizes.rows());
        for (const auto& entry : sorted)
            by_sample[entry.group / cells_.groups].push_back(
                {entry.value, entry.group % cells_.groups});
        for (std::int32_t s = 0; s < cells_.sizes.rows(); ++s)
            if (is_measured(s)) compare(by_sample[s], sizes_in(s), s);
    }

    /// `sorted`: groups in place of cells.
    void compare(std::span<const GroupedValue> sorted, const std::vector<std::int64_t>& sizes,
                 std::int32_t sample) {
        if (reference_ < 0) {
            compare_with_rest(sorted, sizes, sample);
            return;
        }
        for (std::int32_t g = 0; g < cells_.groups; ++g) {
            if (g == reference_) continue;
            const std::vector<std::int64_t> pair_sizes{sizes[g], sizes[reference_]};
            if (!is_testable(pair_sizes[0], pair_sizes[0] + pair_sizes[1])) continue;
            pair_.clear();
            for (const auto& entry : sorted)
                if (entry.group == g || entry.group == reference_)
                    pair_.push_back({entry.value, entry.group == g ? 0 : 1});
            add(sample, g, 0, stats::rank_groups(pair_, pair_sizes),
                stats::group_moments(pair_, pair_sizes), positive(pair_, 2));
        }
    }
    void compare_with_rest(std::span<const GroupedValue> sorted,
                           const std::vector<std::int64_t>& sizes, std::int32_t sample) {
        const auto ranks = stats::rank_groups(sorted, sizes);
        const auto moments = stats::group_moments(sorted, sizes);
        const auto counts = positive(sorted, cells_.groups);
        for (std::int32_t g = 0; g < cells_.groups; ++g)
            if (is_testable(sizes[g], ranks.rows)) add(sample, g, g, ranks, moments, counts);
    }
    bool is_testable(std::int64_t inside, std::int64_t all) const {
        return inside >= options_.min_spots && all - inside >= options_.min_spots;
    }
    static std::vector<double> positive(std::span<const GroupedValue> sorted, std::int32_t groups) {
        std::vector<double> counts(groups, 0.0);
        for (const auto& entry : sorted)
            if (entry.value > 0) counts[entry.group] += 1;
        return counts;
    }

    /// Tests entry `at` of the moments against the others and stores it as `group`.
    void add(std::int32_t sample, std::int32_t group, std::int32_t at,
             const stats::GroupRanks& ranks, const std::vector<stats::Moments>& moments,
             const std::vector<double>& positive) {
        stats::Moments rest;
        double positive_rest = 0;
        for (std::size_t g = 0; g < moments.size(); ++g) {
            if (static_cast<std::int32_t>(g) == at) continue;
            rest.add(moments[g]);
            positive_rest += positive[g];
        }
        const auto& inside = moments[at];
        const auto test = stats::rank_sum_test(ranks, at, static_cast<std::int64_t>(inside.count));
        Marker marker{.sample = sample, .group = group, .feature = feature_};
        marker.spots = static_cast<std::int64_t>(inside.count);
        marker.rest = static_cast<std::int64_t>(rest.count);
        marker.auc = test.auc;
        marker.score = test.score;
        marker.p_value = test.p_value;
        if (options_.method == MarkerMethod::TTest) {
            const auto welch = stats::welch_t_test(inside, rest);
            marker.score = welch.statistic;
            marker.p_value = welch.p_value;
        }
        marker.mean = inside.mean;
        marker.mean_rest = rest.mean;
        marker.fraction = positive[at] / inside.count;
        marker.fraction_rest = positive_rest / rest.count;
        const auto& modality = values_.features().modalities[values_.features().modality[feature_]];
        marker.log2_fold_change = is_log_normalised(modality)
                                      ? stats::log2_fold_change(inside.mean, rest.mean)
                                      : std::numeric_limits<double>::quiet_NaN();
        found_.push_back(marker);
    }

    const RunValues& values_;
    const Cells& cells_;
    std::int32_t reference_;
    const MarkerOptions& options_;
    std::int32_t feature_ = 0;
    std::vector<Marker> found_;
    std::vector<GroupedValue> buffer_;
    std::vector<GroupedValue> pair_;
};

/// Order of the table; adjusts the p-values of each of its blocks.
void sort_and_adjust(std::vector<Marker>& markers, const ValueFeatures& features) {
    const auto block = [&](const Marker& m) {
        return std::make_tuple(m.sample, m.group, features.modality[m.feature]);
    };
    std::sort(markers.begin(), markers.end(), [&](const Marker& a, const Marker& b) {
        return std::make_tuple(block(a), -a.score, a.feature) <
               std::make_tuple(block(b), -b.score, b.feature);
    });
    for (std::size_t first = 0; first < markers.size();) {
        std::size_t last = first;
        std::vector<double> p_values;
        for (; last < markers.size() && block(markers[last]) == block(markers[first]); ++last)
            p_values.push_back(markers[last].p_value);
        const auto adjusted = stats::benjamini_hochberg(p_values);
        for (auto i = first; i < last; ++i) markers[i].adjusted_p = adjusted[i - first];
        first = last;
    }
}

std::int32_t reference_of(const Groups& groups, const MarkerOptions& options) {
    if (!options.reference) return -1;
    const auto found = std::find(groups.names.begin(), groups.names.end(), *options.reference);
    if (found == groups.names.end())
        throw core::ConfigError(fmt::format("the reference '{}' is no group of '{}'; there are: {}",
                                            *options.reference, groups.key,
                                            fmt::join(groups.names, ", ")));
    return static_cast<std::int32_t>(found - groups.names.begin());
}

/// Something must be testable; groups that are too small everywhere are named.
void check_sizes(const Cells& cells, const Groups& groups, const MarkerOptions& options) {
    std::vector<std::string> small;
    for (std::int32_t g = 0; g < cells.groups; ++g)
        if (cells.sizes.col(g).sum() < options.min_spots) small.push_back(groups.names[g]);
    if (cells.groups - static_cast<std::int32_t>(small.size()) < 2)
        throw core::ConfigError(fmt::format(
            "markers need two groups of at least {} spots; column '{}' has {} such among {} groups",
            options.min_spots, groups.key, cells.groups - static_cast<std::int32_t>(small.size()),
            cells.groups));
    if (!small.empty())
        core::log_warning("groups of '{}' with fewer than {} spots are not tested: {}", groups.key,
                          options.min_spots, fmt::join(small, ", "));
}

}  // namespace

std::vector<Marker> find_markers(const comm::Comm& comm, const RunValues& values,
                                 const Groups& groups, const MarkerOptions& options) {
    if (options.reference && options.method == MarkerMethod::Logistic)
        throw core::ConfigError(
            "--method logistic tells all groups apart at once: leave --reference out, or take "
            "wilcoxon or t-test");
    const auto reference = reference_of(groups, options);
    const auto cells = make_cells(values, groups);
    check_sizes(cells, groups, options);
    const detail::FeatureColumns columns(comm, values, cells.of_row, options.memory);
    std::vector<Marker> mine;
    for (std::int32_t panel = 0; panel < columns.panels(); ++panel) {
        auto features = columns.read(panel);
        std::vector<std::vector<Marker>> found(features.size());
#pragma omp parallel num_threads(core::threads())
        {
            FeatureTests tests(values, cells, reference, options);
#pragma omp for schedule(dynamic, 4)
            for (std::size_t f = 0; f < features.size(); ++f) {
                found[f] = tests.run(features[f]);
                std::vector<GroupedValue>().swap(features[f].values);
            }
        }
        for (const auto& part : found) mine.insert(mine.end(), part.begin(), part.end());
    }
    std::vector<Marker> markers;
    for (const auto& part : comm.gather(std::span<const Marker>(mine)))
        markers.insert(markers.end(), part.begin(), part.end());
    if (options.method == MarkerMethod::Logistic)
        detail::score_by_regression(comm, values, groups, options, markers);
    sort_and_adjust(markers, values.features());
    return markers;
}

std::string markers_tsv(const std::vector<Marker>& markers, const RunValues& values,
                        const Groups& groups, const MarkerOptions& options) {
    io::TsvText table({"sample", "group", "reference", "modality", "feature", "spots",
                       "spots_reference", "score", "auc", "log2_fold_change", "mean",
                       "mean_reference", "fraction", "fraction_reference", "p_value",
                       "adjusted_p"});
    const auto& features = values.features();
    const std::string reference = options.reference.value_or("rest");
    for (const auto& m : markers)
        table.row(m.sample < 0 ? std::string("all") : values.samples()[m.sample],
                  groups.names[m.group], reference,
                  features.modalities[features.modality[m.feature]], features.names[m.feature],
                  m.spots, m.rest, m.score, m.auc, m.log2_fold_change, m.mean, m.mean_rest,
                  m.fraction, m.fraction_rest, m.p_value, m.adjusted_p);
    return table.text();
}

}  // namespace smeta::analysis
