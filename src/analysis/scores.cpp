#include "smeta/analysis/scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "smeta/analysis/batch_scores.hpp"
#include "smeta/analysis/continuity.hpp"
#include "smeta/analysis/graph_scores.hpp"
#include "smeta/analysis/lisi.hpp"
#include "smeta/analysis/partition_scores.hpp"
#include "smeta/analysis/silhouette.hpp"

#include "bootstrap.hpp"
#include "neighborhood.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int32_t kMixingNeighbors = 15;
using Rows = std::vector<std::int64_t>;
using Codes = std::vector<std::int32_t>;

/// One score's values by name while scopes are gone through.
class Collector {
  public:
    void add(const std::string& name, ScoreGroup group, ScoreValue value) {
        auto found = std::find_if(scores_.begin(), scores_.end(),
                                  [&](const Score& score) { return score.name == name; });
        if (found == scores_.end()) found = scores_.insert(scores_.end(), {name, group, {}});
        found->values.push_back(std::move(value));
    }
    std::vector<Score> take() { return std::move(scores_); }

  private:
    std::vector<Score> scores_;
};

/// Codes of the given rows, renumbered without gaps in their order; -1 stays.
struct Compact {
    Codes codes;
    std::int32_t groups = 0;
};
Compact compact(const Codes& codes, const Rows& rows) {
    std::int32_t highest = -1;
    for (const auto r : rows) highest = std::max(highest, codes[r]);
    Codes position(highest + 1, -1);
    for (const auto r : rows)
        if (codes[r] >= 0) position[codes[r]] = 0;
    Compact result;
    for (auto& p : position)
        if (p == 0) p = result.groups++;
    result.codes.reserve(rows.size());
    for (const auto r : rows) result.codes.push_back(codes[r] < 0 ? -1 : position[codes[r]]);
    return result;
}

Rows rows_with(const Codes& codes, const Rows& rows) {
    Rows result;
    for (const auto r : rows)
        if (codes[r] >= 0) result.push_back(r);
    return result;
}

/// Mean over `groups` of the mean of the group's values among `spots`; groups without a spot and
/// spots without a value are left out.
double mean_of_groups(const std::vector<double>& values, const Compact& labels, const Codes& groups,
                      std::span<const std::int64_t> spots) {
    std::vector<double> sum(labels.groups, 0);
    std::vector<double> count(labels.groups, 0);
    for (const auto i : spots) {
        if (std::isnan(values[i])) continue;
        sum[labels.codes[i]] += values[i];
        ++count[labels.codes[i]];
    }
    std::vector<double> means;
    for (const auto g : groups) means.push_back(count[g] > 0 ? sum[g] / count[g] : kNaN);
    return mean_of_known(means);
}

Codes all_groups(const Compact& labels) {
    Codes result(labels.groups);
    std::iota(result.begin(), result.end(), 0);
    return result;
}

template <class T>
std::vector<T> taken(const std::vector<T>& values, std::span<const std::int64_t> spots) {
    std::vector<T> result;
    result.reserve(spots.size());
    for (const auto i : spots) result.push_back(values[i]);
    return result;
}

/// Mean of the values of the spots that a score is asked of.
detail::Statistic mean_statistic(std::vector<double> values) {
    return [values = std::move(values)](std::span<const std::int64_t> spots) {
        double sum = 0;
        for (const auto i : spots) sum += values[i];
        return spots.empty() ? kNaN : sum / static_cast<double>(spots.size());
    };
}

/// Labels that lie in the fewest batches.
Codes isolated_labels(const Compact& labels, const Compact& batches) {
    std::vector<Codes> seen(labels.groups, Codes(batches.groups, 0));
    for (std::size_t i = 0; i < labels.codes.size(); ++i)
        if (batches.codes[i] >= 0) seen[labels.codes[i]][batches.codes[i]] = 1;
    Codes count;
    for (const auto& in : seen) count.push_back(std::accumulate(in.begin(), in.end(), 0));
    Codes result;
    const auto fewest = count.empty() ? 0 : *std::min_element(count.begin(), count.end());
    for (std::int32_t g = 0; g < labels.groups; ++g)
        if (count[g] == fewest) result.push_back(g);
    return result;
}

class EmbeddingScorer {
  public:
    EmbeddingScorer(const comm::Comm& comm, const Embedding& embedding, const ScoredSpots& spots,
                    const ScoreOptions& options)
        : comm_(comm), embedding_(embedding), spots_(spots), options_(options) {}

    std::vector<Score> score() {
        for (std::size_t s = 0; s < spots_.samples.size(); ++s) {
            Rows rows(spots_.first_row[s + 1] - spots_.first_row[s]);
            std::iota(rows.begin(), rows.end(), spots_.first_row[s]);
            add_continuity(spots_.samples[s], rows);
            if (spots_.labels) add_biology(spots_.samples[s], rows);
        }
        auto scores = collected_.take();
        for (auto& score : scores) add_mean_of_samples(score);
        for (auto& score : scores)
            for (auto& value : score.values)
                collected_.add(score.name, score.group, std::move(value));
        Rows all(spots_.rows());
        std::iota(all.begin(), all.end(), 0);
        if (spots_.labels) add_biology(kScopeAll, all);
        add_batch(all);
        return collected_.take();
    }

  private:
    /// The score of all `count` spots, and of replicates of them.
    void add(const std::string& name, ScoreGroup group, const std::string& scope,
             std::int64_t count, const detail::Statistic& statistic) {
        Rows every(count);
        std::iota(every.begin(), every.end(), 0);
        ScoreValue value{scope, count, statistic(every)};
        if (options_.replicates > 0 && !std::isnan(value.value))
            value.replicates = detail::bootstrap(comm_, count, options_.replicates, options_.seed,
                                                 scope, statistic);
        collected_.add(name, group, std::move(value));
    }

    void add_continuity(const std::string& sample, const Rows& rows) {
        const auto clusters = compact(embedding_.clusters, rows);
        const auto position = select_rows(spots_.position, rows);
        const auto add_mean = [&](const std::string& name, std::vector<double> values) {
            std::erase_if(values, [](double v) { return std::isnan(v); });
            const auto known = static_cast<std::int64_t>(values.size());
            add(name, ScoreGroup::Continuity, sample, known, mean_statistic(std::move(values)));
        };
        add_mean("chaos", chaos_distances(position, clusters.codes));
        add_mean("pas", abnormal_spots(position, clusters.codes));
    }

    void add_biology(const std::string& scope, const Rows& all) {
        const auto rows = rows_with(spots_.labels->codes, all);
        const auto count = static_cast<std::int64_t>(rows.size());
        const auto biology = [&](const std::string& name, const detail::Statistic& statistic) {
            add(name, ScoreGroup::Biology, scope, count, statistic);
        };
        add_partition(scope, rows);
        const auto labels = compact(spots_.labels->codes, rows);
        const auto points = select_rows(embedding_.points, rows);
        const bool several = labels.groups > 1;
        auto widths = several ? silhouette(comm_, points, labels.codes)
                              : std::vector<double>(rows.size(), kNaN);
        for (auto& width : widths) width = (width + 1) / 2;
        const auto by_label = [&](const Codes& groups) {
            return [&widths, &labels, groups](std::span<const std::int64_t> spots) {
                return mean_of_groups(widths, labels, groups, spots);
            };
        };
        biology("label_asw", mean_statistic(widths));
        biology("isolated_label_asw", by_label(all_groups(labels)));
        if (scope == kScopeAll)
            biology("isolated_label_asw_scib",
                    by_label(isolated_labels(labels, compact(spots_.batches.codes, rows))));
        const detail::Neighborhood near(comm_, points);
        const auto graph = near.graph();
        const auto purity = [&](const std::vector<double>& lisi) {
            return [&lisi, &labels, several](std::span<const std::int64_t> spots) {
                return several ? (labels.groups - median(taken(lisi, spots))) / (labels.groups - 1)
                               : kNaN;
            };
        };
        const auto by_graph = graph_lisi(comm_, graph.view(), labels.codes);
        const auto by_distance = near.lisi(labels.codes);
        biology("clisi", purity(by_graph));
        biology("clisi_knn", purity(by_distance));
        const auto connected = in_largest_part(graph.view(), labels.codes);
        biology("graph_connectivity", [&](std::span<const std::int64_t> spots) {
            return mean_of_groups(connected, labels, all_groups(labels), spots);
        });
    }

    void add_partition(const std::string& scope, const Rows& labelled) {
        const auto rows = rows_with(embedding_.clusters, labelled);
        const auto clusters = compact(embedding_.clusters, rows);
        const auto labels = compact(spots_.labels->codes, rows);
        const auto compared = [&](auto index) {
            return [&clusters, &labels, index](std::span<const std::int64_t> spots) {
                return index(taken(labels.codes, spots), taken(clusters.codes, spots));
            };
        };
        const auto count = static_cast<std::int64_t>(rows.size());
        add("ari", ScoreGroup::Biology, scope, count, compared(adjusted_rand_index));
        add("nmi", ScoreGroup::Biology, scope, count, compared(normalized_mutual_information));
    }

    void add_batch(const Rows& all) {
        const auto rows = rows_with(spots_.batches.codes, all);
        const auto batches = compact(spots_.batches.codes, rows);
        if (batches.groups < 2) return;
        const auto count = static_cast<std::int64_t>(rows.size());
        const auto batch = [&](const std::string& name, const detail::Statistic& statistic) {
            add(name, ScoreGroup::Batch, kScopeAll, count, statistic);
        };
        add_by_group("batch_asw", embedding_.clusters, rows, batch_mixing_by_label);
        if (spots_.labels)
            add_by_group("batch_asw_label", spots_.labels->codes, rows, batch_mixing_by_label);

        const auto points = select_rows(embedding_.points, rows);
        const detail::Neighborhood near(comm_, points);
        const auto mixing = [&](const std::vector<double>& lisi) {
            return [&lisi, &batches](std::span<const std::int64_t> spots) {
                return (median(taken(lisi, spots)) - 1) / (batches.groups - 1);
            };
        };
        const auto by_graph = graph_lisi(comm_, near.graph().view(), batches.codes);
        const auto by_distance = near.lisi(batches.codes);
        batch("ilisi", mixing(by_graph));
        batch("ilisi_knn", mixing(by_distance));
        const auto others = other_batch_neighbors(near.first(kMixingNeighbors), batches.codes);
        batch("neighbor_mixing",
              [&](std::span<const std::int64_t> spots) { return others.mixing(spots); });
        if (options_.kbet == Kbet::Compute)
            batch("kbet", mean_statistic(kbet_accepted(near.first(kKbetNeighbors), batches.codes)));
        if (options_.kbet == Kbet::Compute && spots_.labels)
            add_by_group("kbet_label", spots_.labels->codes, rows, kbet_accepted_by_label);
        const auto between = [&](std::span<const std::int64_t> spots) {
            return batch_variance(select_rows(points, Rows(spots.begin(), spots.end())),
                                  taken(batches.codes, spots));
        };
        batch("batch_variance", between);
        if (spots_.variance_before)
            batch("pcr", [&](std::span<const std::int64_t> spots) {
                return std::max(
                    (*spots_.variance_before - between(spots)) / *spots_.variance_before, 0.0);
            });
    }

    /// Mean over the groups of the mean of `values_of` their spots.
    template <class Values>
    void add_by_group(const std::string& name, const Codes& groups, const Rows& all,
                      Values values_of) {
        const auto rows = rows_with(groups, all);
        const auto own = compact(groups, rows);
        const auto values = values_of(comm_, select_rows(embedding_.points, rows),
                                      compact(spots_.batches.codes, rows).codes, own.codes);
        add(name, ScoreGroup::Batch, kScopeAll, static_cast<std::int64_t>(rows.size()),
            [&](std::span<const std::int64_t> spots) {
                return mean_of_groups(values, own, all_groups(own), spots);
            });
    }

    const comm::Comm& comm_;
    const Embedding& embedding_;
    const ScoredSpots& spots_;
    const ScoreOptions& options_;
    Collector collected_;
};

}  // namespace

std::string to_string(ScoreGroup group) {
    switch (group) {
        case ScoreGroup::Continuity:
            return "continuity";
        case ScoreGroup::Markers:
            return "markers";
        case ScoreGroup::Reconstruction:
            return "reconstruction";
        case ScoreGroup::Biology:
            return "biology";
        case ScoreGroup::Batch:
            return "batch";
    }
    return {};
}

double Score::at(const std::string& scope) const {
    for (const auto& value : values)
        if (value.scope == scope) return value.value;
    return kNaN;
}

bool Score::low_is_good() const {
    return name == "chaos" || name == "pas" || name == "batch_variance" ||
           name.starts_with("geary_");
}

double ScoreValue::bound(double share) const {
    std::vector<double> sorted;
    for (const double replicate : replicates)
        if (!std::isnan(replicate)) sorted.push_back(replicate);
    if (sorted.empty()) return kNaN;
    std::sort(sorted.begin(), sorted.end());
    const double at = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const auto above = std::min(below + 1, sorted.size() - 1);
    const double quantile =
        sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
    return quantile + value - mean_of_known(sorted);
}

void add_mean_of_samples(Score& score) {
    ScoreValue all{kScopeMean, 0, kNaN};
    std::vector<double> values;
    std::vector<const ScoreValue*> known;
    std::size_t replicates = std::numeric_limits<std::size_t>::max();
    for (const auto& value : score.values) {
        if (std::isnan(value.value)) continue;
        values.push_back(value.value);
        known.push_back(&value);
        all.spots += value.spots;
        replicates = std::min(replicates, value.replicates.size());
    }
    all.value = mean_of_known(values);
    for (std::size_t r = 0; r < replicates && !known.empty(); ++r) {
        values.clear();
        for (const auto* value : known) values.push_back(value->replicates[r]);
        all.replicates.push_back(mean_of_known(values));
    }
    score.values.push_back(std::move(all));
}

ScoreValue mean_of_spots(const comm::Comm& comm, std::string scope, std::span<const float> values,
                         std::int64_t replicates, std::uint64_t seed) {
    const auto count = static_cast<std::int64_t>(values.size());
    const auto mean = mean_statistic({values.begin(), values.end()});
    Rows every(count);
    std::iota(every.begin(), every.end(), 0);
    ScoreValue result{std::move(scope), count, mean(every)};
    if (count > 0)
        result.replicates = detail::bootstrap(comm, count, replicates, seed, result.scope, mean);
    return result;
}

std::vector<Score> score_embedding(const comm::Comm& comm, const Embedding& embedding,
                                   const ScoredSpots& spots, const ScoreOptions& options) {
    return EmbeddingScorer(comm, embedding, spots, options).score();
}

}  // namespace smeta::analysis
