#include "smeta/analysis/marker_scores.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "smeta/analysis/batch_scores.hpp"
#include "smeta/analysis/continuity.hpp"
#include "smeta/analysis/run_values.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/stats/logistic.hpp"

#include "feature_columns.hpp"
#include "feature_statistics.hpp"
#include "modality_rows.hpp"

namespace smeta::analysis {
namespace {

using detail::FeatureStatistics;
using detail::SectionClusters;
using detail::SpotValue;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::array<double, 4> kZeroShares = {1, 0.99, 0.98, 0.95};
constexpr std::int64_t kTestOneIn = 5;
constexpr double kLogisticTolerance = 1e-6;
/// Draws of this purpose: beyond the epochs that the others of DrawPurpose::Cluster use.
constexpr std::uint64_t kTestSpotDraws = std::uint64_t{1} << 41U;

/// Column after column: wilcoxon scores come last.
constexpr std::size_t kMoran = 0, kGeary = 1, kZeroShare = 2, kSpecificity = 3, kInformation = 4,
                      kWilcoxon = 5;
constexpr double kFeatureMarks = 1;  // the feature's number before its records

/// Statistics of every feature of a section for one clustering.
struct Table {
    std::size_t width = 0;
    std::vector<double> values;  ///< features x width

    double at(std::int32_t feature, std::size_t column) const {
        return values[feature * width + column];
    }
};

/// Marker scores of one section of a run.
class SectionScores {
  public:
    SectionScores(const comm::Comm& comm, const RunValues& values, const core::MatrixD& position,
                  const std::vector<std::span<const std::int32_t>>& clusterings,
                  const MarkerScoreOptions& options)
        : comm_(comm), values_(values), options_(options) {
        for (const auto& codes : clusterings) clusterings_.emplace_back(position, codes);
        for (const auto& clusters : clusterings_)
            tables_.push_back({kWilcoxon + clusters.groups, {}});
    }

    /// moran, geary, specificity, logistic, mutual information for each modality.
    struct Values {
        std::string modality;
        std::array<double, 5> scores{};
    };
    std::vector<std::vector<Values>> score() {
        fill_tables();
        std::vector<std::vector<Values>> result(clusterings_.size());
        const auto& features = values_.features();
        for (std::size_t m = 0; m < features.modalities.size(); ++m) {
            const auto& name = features.modalities[m];
            if (!is_log_normalised(name)) continue;
            const auto own = measured(static_cast<std::int32_t>(m));
            if (own.empty()) continue;
            const auto logistic = logistic_accuracies(static_cast<std::int32_t>(m));
            for (std::size_t c = 0; c < clusterings_.size(); ++c) {
                auto [moran, geary] = autocorrelation(c, own, marker_counts(name));
                result[c].push_back({name,
                                     {moran, geary, specificity(c, own), logistic[c],
                                      mean_column(c, own, kInformation)}});
            }
        }
        return result;
    }

  private:
    std::vector<std::int32_t> measured(std::int32_t modality) const {
        std::vector<std::int32_t> result;
        for (std::int32_t f = 0; f < values_.features().count(); ++f)
            if (values_.features().modality[f] == modality &&
                values_.features().is_measured(0, f) != 0)
                result.push_back(f);
        return result;
    }

    /// Every rank measures its features; all get the tables.
    void fill_tables() {
        std::vector<std::int32_t> rows(values_.rows());
        std::iota(rows.begin(), rows.end(), 0);
        const detail::FeatureColumns columns(comm_, values_, rows, options_.memory);
        std::vector<std::int32_t> features;
        std::vector<std::vector<double>> records;
        for (std::int32_t panel = 0; panel < columns.panels(); ++panel) {
            auto logs = spot_values(columns.read(panel, ValueScale::LogNormalised));
            auto stored = spot_values(columns.read(panel, ValueScale::Stored));
            const auto first = records.size();
            records.resize(first + logs.size());
            for (const auto& column : logs) features.push_back(column.feature);
#pragma omp parallel num_threads(core::threads())
            {
                detail::FeatureMeasurer measurer(clusterings_);
#pragma omp for schedule(dynamic, 4)
                for (std::size_t f = 0; f < logs.size(); ++f)
                    records[first + f] = record(measurer, logs[f], stored[f]);
            }
        }
        gather(features, records);
    }

    struct SpotColumn {
        std::int32_t feature = 0;
        std::vector<SpotValue> values;
    };
    static std::vector<SpotColumn> spot_values(std::vector<detail::FeatureColumn> columns) {
        std::vector<SpotColumn> result;
        for (auto& column : columns) {
            SpotColumn own{column.feature, {}};
            own.values.reserve(column.values.size());
            for (const auto& entry : column.values)
                own.values.push_back({entry.group, entry.value});
            std::vector<stats::GroupedValue>().swap(column.values);
            std::sort(own.values.begin(), own.values.end(),
                      [](const auto& a, const auto& b) { return a.spot < b.spot; });
            result.push_back(std::move(own));
        }
        return result;
    }

    std::vector<double> record(detail::FeatureMeasurer& measurer, const SpotColumn& logs,
                               const SpotColumn& stored) const {
        std::vector<double> result{static_cast<double>(logs.feature)};
        const auto noisy = detail::with_noise(stored.values, values_.rows(), options_.seed,
                                              logs.feature, core::sample_key(values_.samples()[0]));
        for (std::size_t c = 0; c < clusterings_.size(); ++c) {
            const auto found = measurer.measure(c, logs.values);
            result.insert(result.end(),
                          {found.moran, found.geary, found.zero_share, found.specificity,
                           clusterings_[c].information.estimate(noisy)});
            result.insert(result.end(), found.wilcoxon.begin(), found.wilcoxon.end());
        }
        return result;
    }

    void gather(const std::vector<std::int32_t>& features,
                const std::vector<std::vector<double>>& records) {
        std::size_t width = kFeatureMarks;
        for (auto& table : tables_) {
            width += table.width;
            table.values.assign(values_.features().count() * table.width, kNaN);
        }
        std::vector<double> mine;
        mine.reserve(features.size() * width);
        for (const auto& record : records) mine.insert(mine.end(), record.begin(), record.end());
        for (const auto& part : comm_.allgather(std::span<const double>(std::as_const(mine))))
            for (std::size_t at = 0; at < part.size(); at += width) {
                const auto feature = static_cast<std::size_t>(part[at]);
                auto from = part.begin() + static_cast<std::ptrdiff_t>(at) + 1;
                for (auto& table : tables_) {
                    const auto to = from + static_cast<std::ptrdiff_t>(table.width);
                    std::copy(
                        from, to,
                        table.values.begin() + static_cast<std::ptrdiff_t>(feature * table.width));
                    from = to;
                }
            }
    }

    double mean_column(std::size_t clustering, const std::vector<std::int32_t>& features,
                       std::size_t column) const {
        std::vector<double> values;
        for (const auto f : features) values.push_back(tables_[clustering].at(f, column));
        return mean_of_known(values);
    }

    /// Medians over the union of the best markers of every group, mean over the counts.
    std::pair<double, double> autocorrelation(std::size_t clustering,
                                              const std::vector<std::int32_t>& features,
                                              const std::vector<std::int64_t>& counts) const {
        const auto& table = tables_[clustering];
        std::vector<std::vector<std::int32_t>> ranking;
        const auto most = static_cast<std::size_t>(counts.back());
        for (std::size_t g = kWilcoxon; g < table.width; ++g) {
            auto order = features;
            const auto end =
                order.begin() + static_cast<std::ptrdiff_t>(std::min(most, order.size()));
            std::partial_sort(order.begin(), end, order.end(), [&](auto a, auto b) {
                return std::make_pair(-table.at(a, g), a) < std::make_pair(-table.at(b, g), b);
            });
            order.erase(end, order.end());
            ranking.push_back(std::move(order));
        }
        std::vector<double> moran;
        std::vector<double> geary;
        for (const auto count : counts) {
            std::set<std::int32_t> chosen;
            for (const auto& order : ranking)
                chosen.insert(order.begin(),
                              order.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                  static_cast<std::size_t>(count), order.size())));
            moran.push_back(median_of_known(table, chosen, kMoran));
            geary.push_back(median_of_known(table, chosen, kGeary));
        }
        return {mean_of_known(moran), mean_of_known(geary)};
    }
    static double median_of_known(const Table& table, const std::set<std::int32_t>& features,
                                  std::size_t column) {
        std::vector<double> values;
        for (const auto f : features)
            if (!std::isnan(table.at(f, column))) values.push_back(table.at(f, column));
        return median(std::move(values));
    }

    double specificity(std::size_t clustering, const std::vector<std::int32_t>& features) const {
        std::vector<double> means;
        for (const double most : kZeroShares) {
            std::vector<double> values;
            for (const auto f : features)
                if (tables_[clustering].at(f, kZeroShare) <= most)
                    values.push_back(tables_[clustering].at(f, kSpecificity));
            means.push_back(mean_of_known(values));
        }
        return mean_of_known(means);
    }

    /// Share of the test spots whose cluster a regression on the others finds, of each clustering.
    std::vector<double> logistic_accuracies(std::int32_t modality) const {
        const auto own = detail::own_modality_rows(comm_, values_, modality);
        const stats::LogisticRegression regression(comm_, values_.rows(), own);
        std::vector<double> result;
        for (const auto& clusters : clusterings_) result.push_back(accuracy(regression, clusters));
        return result;
    }
    double accuracy(const stats::LogisticRegression& regression,
                    const SectionClusters& clusters) const {
        std::int32_t groups = 0;
        for (const auto code : clusters.specific) groups = std::max(groups, code + 1);
        if (groups < 2) return kNaN;
        auto labels = clusters.specific;
        const auto tested = test_spots(labels, groups);
        for (const auto spot : tested) labels[spot] = -1;
        const auto model = regression.fit(labels, groups,
                                          {.loss = stats::LogisticLoss::OneVsRest,
                                           .intercept = stats::Intercept::Penalised,
                                           .tolerance = kLogisticTolerance});
        const auto found = regression.predict(model);
        double right = 0;
        for (const auto spot : tested) right += found[spot] == clusters.specific[spot] ? 1 : 0;
        return right / static_cast<double>(tested.size());
    }
    /// One in five spots of every group, at least one: those with the lowest draws.
    std::vector<std::int64_t> test_spots(const std::vector<std::int32_t>& labels,
                                         std::int32_t groups) const {
        std::vector<std::vector<std::pair<double, std::int64_t>>> members(groups);
        const auto sample = core::sample_key(values_.samples()[0]);
        for (std::size_t r = 0; r < labels.size(); ++r)
            if (labels[r] >= 0)
                members[labels[r]].emplace_back(
                    core::Philox(options_.seed, core::DrawPurpose::Cluster, kTestSpotDraws,
                                 {sample, r})
                        .uniform(0),
                    static_cast<std::int64_t>(r));
        std::vector<std::int64_t> result;
        for (auto& group : members) {
            std::sort(group.begin(), group.end());
            const auto tested = std::max<std::size_t>(1, group.size() / kTestOneIn);
            for (std::size_t i = 0; i < tested; ++i) result.push_back(group[i].second);
        }
        return result;
    }

    const comm::Comm& comm_;
    const RunValues& values_;
    const MarkerScoreOptions& options_;
    std::vector<SectionClusters> clusterings_;
    std::vector<Table> tables_;
};

}  // namespace

std::vector<std::int64_t> marker_counts(const std::string& modality) {
    if (modality == "st") return {5, 10, 20, 50, 100, 200, 500};
    return {5, 10, 20, 50, 100, 200};
}

std::vector<std::vector<Score>> marker_scores(
    const comm::Comm& comm, const atlas::Run& run, const ScoredSpots& spots,
    const std::vector<std::span<const std::int32_t>>& clusterings,
    const MarkerScoreOptions& options) {
    static constexpr std::array kNames = {"moran", "geary", "specificity", "logistic",
                                          "mutual_information"};
    std::vector<std::vector<Score>> result(clusterings.size());
    core::Progress progress("marker scores", static_cast<std::int64_t>(spots.samples.size()));
    for (std::size_t s = 0; s < spots.samples.size(); ++s) {
        const auto first = spots.first_row[s];
        const auto count = spots.first_row[s + 1] - first;
        const RunValues values(comm, run, {spots.samples[s]}, FeatureScope::Selected);
        std::vector<std::span<const std::int32_t>> own;
        for (const auto& codes : clusterings) own.push_back(codes.subspan(first, count));
        SectionScores section(comm, values, spots.position.middleRows(first, count), own, options);
        const auto found = section.score();
        for (std::size_t c = 0; c < found.size(); ++c)
            for (const auto& [modality, scores] : found[c])
                for (std::size_t k = 0; k < scores.size(); ++k) {
                    const auto name = std::string(kNames[k]) + "_" + modality;
                    auto score = std::find_if(result[c].begin(), result[c].end(),
                                              [&](const Score& one) { return one.name == name; });
                    if (score == result[c].end())
                        score = result[c].insert(score, {name, ScoreGroup::Markers, {}});
                    score->values.push_back({spots.samples[s], count, scores[k]});
                }
        progress.advance();
    }
    return result;
}

}  // namespace smeta::analysis
