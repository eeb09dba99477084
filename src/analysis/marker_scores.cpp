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
#include "replicate_measurer.hpp"

namespace smeta::analysis {
namespace {

using detail::FeatureStatistics;
using detail::ReplicateMeasurer;
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

/// The same in samples of the spots, for one clustering.
struct ReplicateTable {
    std::int64_t replicates = 0;
    std::vector<float> values;  ///< features x statistics of ReplicateMeasurer x replicates

    std::size_t width() const { return ReplicateMeasurer::kStatistics * replicates; }
    double at(std::int32_t feature, std::size_t statistic, std::int64_t replicate) const {
        return values[feature * width() + statistic * replicates + replicate];
    }
};

struct Resampled {
    double value = kNaN;
    std::vector<double> replicates = {};
};

/// Marker scores of one section of a run.
class SectionScores {
  public:
    SectionScores(const comm::Comm& comm, const RunValues& values, const core::MatrixD& position,
                  const std::vector<std::span<const std::int32_t>>& clusterings,
                  const MarkerScoreOptions& options)
        : comm_(comm),
          values_(values),
          options_(options),
          draws_(values.rows(), options.replicates, options.seed, values.samples()[0]) {
        for (const auto& codes : clusterings) clusterings_.emplace_back(position, codes);
        for (const auto& clusters : clusterings_)
            tables_.push_back({kWilcoxon + clusters.groups, {}});
    }

    /// moran, geary, specificity, logistic, mutual information for each modality.
    struct Values {
        std::string modality;
        std::array<Resampled, 5> scores{};
    };
    std::vector<std::vector<Values>> score() {
        fill_tables();
        std::vector<std::vector<Values>> result(clusterings_.size());
        const auto& modalities = values_.features().modalities;
        std::vector<std::vector<std::int32_t>> own;
        std::vector<std::vector<Resampled>> logistic;
        for (std::size_t m = 0; m < modalities.size(); ++m) {
            own.emplace_back();
            if (is_log_normalised(modalities[m])) own[m] = measured(static_cast<std::int32_t>(m));
            logistic.emplace_back();
            if (!own[m].empty()) logistic[m] = logistic_accuracies(static_cast<std::int32_t>(m));
        }
        for (std::size_t c = 0; c < clusterings_.size(); ++c) {
            const auto table = gather_replicates(c);
            for (std::size_t m = 0; m < modalities.size(); ++m) {
                if (own[m].empty()) continue;
                const auto chosen = best_markers(c, own[m], marker_counts(modalities[m]));
                const auto of_chosen = [&](const auto& at) { return mean_of_medians(chosen, at); };
                const auto over = [&](const auto& at) { return mean_of_features(own[m], at); };
                const auto expressed = [&](const auto& at) { return specificity(c, own[m], at); };
                const auto resample = [&](std::size_t column, ReplicateMeasurer::Statistic which,
                                          const auto& score) {
                    return resampled(c, table, column, which, score);
                };
                result[c].push_back(
                    {modalities[m],
                     {resample(kMoran, ReplicateMeasurer::kMoran, of_chosen),
                      resample(kGeary, ReplicateMeasurer::kGeary, of_chosen),
                      resample(kSpecificity, ReplicateMeasurer::kSpecificity, expressed),
                      logistic[m][c],
                      resample(kInformation, ReplicateMeasurer::kInformation, over)}});
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
        std::vector<Record> records;
        for (std::int32_t panel = 0; panel < columns.panels(); ++panel) {
            auto logs = spot_values(columns.read(panel, ValueScale::LogNormalised));
            auto stored = spot_values(columns.read(panel, ValueScale::Stored));
            const auto first = records.size();
            records.resize(first + logs.size());
#pragma omp parallel num_threads(core::threads())
            {
                detail::FeatureMeasurer measurer(clusterings_);
                ReplicateMeasurer replicates(clusterings_, draws_);
#pragma omp for schedule(dynamic, 4)
                for (std::size_t f = 0; f < logs.size(); ++f)
                    records[first + f] = record(measurer, replicates, logs[f], stored[f]);
            }
        }
        gather(records);
    }

    /// Of one feature: its number and what `tables_` hold of it, and its replicates.
    struct Record {
        std::vector<double> values;
        std::vector<float> replicates;  ///< clustering after clustering
    };

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

    Record record(detail::FeatureMeasurer& measurer, ReplicateMeasurer& replicates,
                  const SpotColumn& logs, const SpotColumn& stored) const {
        Record result{{static_cast<double>(logs.feature)}, {}};
        std::vector<double> terms;
        const auto noisy = detail::with_noise(stored.values, values_.rows(), options_.seed,
                                              logs.feature, core::sample_key(values_.samples()[0]));
        for (std::size_t c = 0; c < clusterings_.size(); ++c) {
            const auto found = measurer.measure(c, logs.values);
            const double information = clusterings_[c].information.estimate(noisy, terms);
            result.values.insert(result.values.end(), {found.moran, found.geary, found.zero_share,
                                                       found.specificity, information});
            result.values.insert(result.values.end(), found.wilcoxon.begin(), found.wilcoxon.end());
            if (draws_.replicates() > 0)
                replicates.measure(c, logs.values, found, information, terms, result.replicates);
        }
        return result;
    }

    void gather(std::vector<Record>& records) {
        std::size_t width = kFeatureMarks;
        for (auto& table : tables_) {
            width += table.width;
            table.values.assign(values_.features().count() * table.width, kNaN);
        }
        std::vector<double> mine;
        mine.reserve(records.size() * width);
        for (auto& record : records) {
            mine.insert(mine.end(), record.values.begin(), record.values.end());
            own_features_.push_back(static_cast<std::int32_t>(record.values[0]));
            own_replicates_.push_back(std::move(record.replicates));
        }
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

    /// Of all features on every rank. Collective.
    ReplicateTable gather_replicates(std::size_t clustering) const {
        ReplicateTable table{draws_.replicates(), {}};
        if (table.replicates == 0) return table;
        const auto width = table.width();
        std::vector<float> mine;
        mine.reserve(own_replicates_.size() * width);
        for (const auto& replicates : own_replicates_) {
            const auto part = std::span(replicates).subspan(clustering * width, width);
            mine.insert(mine.end(), part.begin(), part.end());
        }
        table.values.assign(values_.features().count() * width, static_cast<float>(kNaN));
        const auto features = comm_.allgather(std::span(own_features_));
        const auto parts = comm_.allgather(std::span<const float>(std::as_const(mine)));
        for (std::size_t rank = 0; rank < parts.size(); ++rank)
            for (std::size_t f = 0; f < features[rank].size(); ++f)
                std::copy_n(
                    parts[rank].begin() + static_cast<std::ptrdiff_t>(f * width), width,
                    table.values.begin() + static_cast<std::ptrdiff_t>(features[rank][f] * width));
        return table;
    }

    /// `score(at)`, at(feature) a statistic of the features: of all spots and of each replicate.
    template <class Score>
    Resampled resampled(std::size_t clustering, const ReplicateTable& table, std::size_t column,
                        std::size_t statistic, const Score& score) const {
        Resampled result{
            score([&](std::int32_t feature) { return tables_[clustering].at(feature, column); })};
        if (std::isnan(result.value)) return result;
        result.replicates.resize(table.replicates);
#pragma omp parallel for schedule(dynamic, 1) num_threads(core::threads())
        for (std::int64_t r = 0; r < table.replicates; ++r)
            result.replicates[r] =
                score([&](std::int32_t feature) { return table.at(feature, statistic, r); });
        return result;
    }

    template <class At>
    static double mean_of_features(const std::vector<std::int32_t>& features, const At& at) {
        std::vector<double> values;
        for (const auto f : features) values.push_back(at(f));
        return mean_of_known(values);
    }

    /// Union of the best markers of every group, for each of `counts`.
    std::vector<std::set<std::int32_t>> best_markers(
        std::size_t clustering, const std::vector<std::int32_t>& features,
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
        std::vector<std::set<std::int32_t>> result;
        for (const auto count : counts) {
            auto& chosen = result.emplace_back();
            for (const auto& order : ranking)
                chosen.insert(order.begin(),
                              order.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                  static_cast<std::size_t>(count), order.size())));
        }
        return result;
    }

    template <class At>
    static double mean_of_medians(const std::vector<std::set<std::int32_t>>& chosen, const At& at) {
        std::vector<double> medians;
        for (const auto& features : chosen) {
            std::vector<double> values;
            for (const auto f : features)
                if (const double value = at(f); !std::isnan(value)) values.push_back(value);
            medians.push_back(median(std::move(values)));
        }
        return mean_of_known(medians);
    }

    template <class At>
    double specificity(std::size_t clustering, const std::vector<std::int32_t>& features,
                       const At& at) const {
        std::vector<double> means;
        for (const double most : kZeroShares) {
            std::vector<double> values;
            for (const auto f : features)
                if (tables_[clustering].at(f, kZeroShare) <= most) values.push_back(at(f));
            means.push_back(mean_of_known(values));
        }
        return mean_of_known(means);
    }

    /// Share of the test spots whose cluster a regression on the others finds, of each clustering.
    std::vector<Resampled> logistic_accuracies(std::int32_t modality) const {
        const auto own = detail::own_modality_rows(comm_, values_, modality);
        const stats::LogisticRegression regression(comm_, values_.rows(), own);
        std::vector<Resampled> result;
        for (const auto& clusters : clusterings_) result.push_back(accuracy(regression, clusters));
        return result;
    }
    Resampled accuracy(const stats::LogisticRegression& regression,
                       const SectionClusters& clusters) const {
        std::int32_t groups = 0;
        for (const auto code : clusters.specific) groups = std::max(groups, code + 1);
        if (groups < 2) return {};
        auto labels = clusters.specific;
        const auto tested = test_spots(labels, groups);
        for (const auto spot : tested) labels[spot] = -1;
        const auto model = regression.fit(labels, groups,
                                          {.loss = stats::LogisticLoss::OneVsRest,
                                           .intercept = stats::Intercept::Penalised,
                                           .tolerance = kLogisticTolerance});
        const auto found = regression.predict(model);
        std::vector<float> right;
        for (const auto spot : tested)
            right.push_back(found[spot] == clusters.specific[spot] ? 1.0F : 0.0F);
        auto mean =
            mean_of_spots(comm_, values_.samples()[0], right, draws_.replicates(), options_.seed);
        return {mean.value, std::move(mean.replicates)};
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
    detail::SpotDraws draws_;
    std::vector<Table> tables_;
    std::vector<std::int32_t> own_features_;  ///< that this rank measured
    std::vector<std::vector<float>> own_replicates_;
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
                    score->values.push_back(
                        {spots.samples[s], count, scores[k].value, scores[k].replicates});
                }
        progress.advance();
    }
    return result;
}

}  // namespace smeta::analysis
