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
    void add(const std::string& name, ScoreGroup group, const std::string& scope,
             std::int64_t spots, double value) {
        auto found = std::find_if(scores_.begin(), scores_.end(),
                                  [&](const Score& score) { return score.name == name; });
        if (found == scores_.end()) found = scores_.insert(scores_.end(), {name, group, {}});
        found->values.push_back({scope, spots, value});
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

double mean(std::span<const double> values) {
    if (values.empty()) return kNaN;
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Mean over `groups` of (mean width of the group + 1) / 2.
double mean_group_width(const std::vector<double>& widths, const Compact& labels,
                        const Codes& groups) {
    std::vector<double> sum(labels.groups, 0);
    std::vector<double> count(labels.groups, 0);
    for (std::size_t i = 0; i < widths.size(); ++i) {
        sum[labels.codes[i]] += widths[i];
        ++count[labels.codes[i]];
    }
    double total = 0;
    for (const auto g : groups) total += (sum[g] / count[g] + 1) / 2;
    return labels.groups > 1 ? total / static_cast<double>(groups.size()) : kNaN;
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
    EmbeddingScorer(const comm::Comm& comm, const Embedding& embedding, const ScoredSpots& spots)
        : comm_(comm), embedding_(embedding), spots_(spots) {}

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
            for (const auto& value : score.values)
                collected_.add(score.name, score.group, value.scope, value.spots, value.value);
        Rows all(spots_.rows());
        std::iota(all.begin(), all.end(), 0);
        if (spots_.labels) add_biology(kScopeAll, all);
        add_batch(all);
        return collected_.take();
    }

  private:
    void add_continuity(const std::string& sample, const Rows& rows) {
        const auto clusters = compact(embedding_.clusters, rows);
        const auto position = select_rows(spots_.position, rows);
        const auto add = [&](const std::string& name, const std::vector<double>& values) {
            const auto known = std::count_if(values.begin(), values.end(),
                                             [](double v) { return !std::isnan(v); });
            collected_.add(name, ScoreGroup::Continuity, sample, known, mean_of_known(values));
        };
        add("chaos", chaos_distances(position, clusters.codes));
        add("pas", abnormal_spots(position, clusters.codes));
    }

    void add_biology(const std::string& scope, const Rows& all) {
        const auto rows = rows_with(spots_.labels->codes, all);
        const auto count = static_cast<std::int64_t>(rows.size());
        const auto add = [&](const std::string& name, std::int64_t spots, double value) {
            collected_.add(name, ScoreGroup::Biology, scope, spots, value);
        };
        const auto clustered = rows_with(embedding_.clusters, rows);
        const auto clusters = compact(embedding_.clusters, clustered);
        const auto found = compact(spots_.labels->codes, clustered);
        const auto known = static_cast<std::int64_t>(clustered.size());
        add("ari", known, adjusted_rand_index(found.codes, clusters.codes));
        add("nmi", known, normalized_mutual_information(found.codes, clusters.codes));

        const auto labels = compact(spots_.labels->codes, rows);
        const auto points = select_rows(embedding_.points, rows);
        const bool several = labels.groups > 1;
        const auto widths = several ? silhouette(comm_, points, labels.codes)
                                    : std::vector<double>(rows.size(), 0.0);
        add("label_asw", count, several ? (mean(widths) + 1) / 2 : kNaN);
        Codes every(labels.groups);
        std::iota(every.begin(), every.end(), 0);
        add("isolated_label_asw", count, mean_group_width(widths, labels, every));
        if (scope == kScopeAll)
            add("isolated_label_asw_scib", count,
                mean_group_width(widths, labels,
                                 isolated_labels(labels, compact(spots_.batches.codes, rows))));
        const detail::Neighborhood near(comm_, points);
        const auto graph = near.graph();
        const auto purity = [&](const std::vector<double>& lisi) {
            return several ? (labels.groups - median(lisi)) / (labels.groups - 1) : kNaN;
        };
        add("clisi", count, purity(graph_lisi(comm_, graph.view(), labels.codes)));
        add("clisi_knn", count, purity(near.lisi(labels.codes)));
        add("graph_connectivity", count, graph_connectivity(graph.view(), labels.codes));
    }

    void add_batch(const Rows& all) {
        const auto rows = rows_with(spots_.batches.codes, all);
        const auto batches = compact(spots_.batches.codes, rows);
        if (batches.groups < 2) return;
        const auto add = [&](const std::string& name, std::int64_t spots, double value) {
            collected_.add(name, ScoreGroup::Batch, kScopeAll, spots, value);
        };
        add_batch_asw("batch_asw", embedding_.clusters, rows);
        if (spots_.labels) add_batch_asw("batch_asw_label", spots_.labels->codes, rows);

        const auto count = static_cast<std::int64_t>(rows.size());
        const auto points = select_rows(embedding_.points, rows);
        const detail::Neighborhood near(comm_, points);
        const auto mixing = [&](const std::vector<double>& lisi) {
            return (median(lisi) - 1) / (batches.groups - 1);
        };
        add("ilisi", count, mixing(graph_lisi(comm_, near.graph().view(), batches.codes)));
        add("ilisi_knn", count, mixing(near.lisi(batches.codes)));
        add("neighbor_mixing", count, neighbor_mixing(near.first(kMixingNeighbors), batches.codes));
        const double after = batch_variance(points, batches.codes);
        add("batch_variance", count, after);
        if (spots_.variance_before)
            add("pcr", count,
                std::max((*spots_.variance_before - after) / *spots_.variance_before, 0.0));
    }

    void add_batch_asw(const std::string& name, const Codes& labels, const Rows& all) {
        const auto rows = rows_with(labels, all);
        collected_.add(name, ScoreGroup::Batch, kScopeAll, static_cast<std::int64_t>(rows.size()),
                       batch_silhouette(comm_, select_rows(embedding_.points, rows),
                                        compact(spots_.batches.codes, rows).codes,
                                        compact(labels, rows).codes));
    }

    const comm::Comm& comm_;
    const Embedding& embedding_;
    const ScoredSpots& spots_;
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

void add_mean_of_samples(Score& score) {
    std::vector<double> values;
    std::int64_t count = 0;
    for (const auto& value : score.values) {
        values.push_back(value.value);
        if (!std::isnan(value.value)) count += value.spots;
    }
    score.values.push_back({kScopeMean, count, mean_of_known(values)});
}

std::vector<Score> score_embedding(const comm::Comm& comm, const Embedding& embedding,
                                   const ScoredSpots& spots) {
    return EmbeddingScorer(comm, embedding, spots).score();
}

}  // namespace smeta::analysis
