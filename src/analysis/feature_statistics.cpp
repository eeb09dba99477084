#include "feature_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "smeta/analysis/batch_scores.hpp"

namespace smeta::analysis::detail {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kNoise = 1e-10;
/// Draws of this purpose: beyond the epochs that the others of DrawPurpose::Cluster use.
constexpr std::uint64_t kNoiseDraws = std::uint64_t{1} << 40U;

/// Codes of the clusters with `fewest` spots or more, renumbered without gaps; -1 elsewhere.
std::vector<std::int32_t> of_large(std::span<const std::int32_t> clusters, std::int64_t fewest,
                                   std::vector<std::int64_t>* sizes) {
    std::vector<std::int64_t> count;
    for (const auto c : clusters) {
        if (c >= static_cast<std::int32_t>(count.size())) count.resize(c + 1, 0);
        if (c >= 0) ++count[c];
    }
    std::vector<std::int32_t> code(count.size(), -1);
    std::int32_t next = 0;
    for (std::size_t c = 0; c < count.size(); ++c) {
        if (count[c] < fewest) continue;
        code[c] = next++;
        if (sizes != nullptr) sizes->push_back(count[c]);
    }
    std::vector<std::int32_t> result;
    for (const auto c : clusters) result.push_back(c < 0 ? -1 : code[c]);
    return result;
}

}  // namespace

SectionClusters::SectionClusters(const core::MatrixD& position,
                                 std::span<const std::int32_t> clusters)
    : codes(of_large(clusters, kFewestMarkers, &sizes)),
      specific(of_large(clusters, kFewestSpecific, nullptr)),
      information(clusters) {
    groups = static_cast<std::int32_t>(sizes.size());
    std::vector<std::int64_t> rows;
    for (std::size_t r = 0; r < codes.size(); ++r) {
        place.push_back(codes[r] < 0 ? -1 : static_cast<std::int32_t>(rows.size()));
        if (codes[r] >= 0) rows.push_back(static_cast<std::int64_t>(r));
    }
    if (rows.size() > 1) graph = spatial::spatial_graph(select_rows(position, rows), std::nullopt);
    graph.rows = static_cast<std::int64_t>(rows.size());
    graph.indptr.resize(rows.size() + 1, 0);
}

FeatureMeasurer::FeatureMeasurer(const std::vector<SectionClusters>& clusterings)
    : clusterings_(clusterings) {
    for (const auto& clusters : clusterings) autocorrelation_.emplace_back(clusters.graph);
}

std::vector<double> FeatureMeasurer::wilcoxon(const SectionClusters& clusters,
                                              std::span<const SpotValue> values) {
    grouped_.clear();
    for (const auto& [spot, value] : values)
        if (clusters.codes[spot] >= 0) grouped_.push_back({value, clusters.codes[spot]});
    stats::sort_by_value(grouped_, buffer_);
    const auto ranks = stats::rank_groups(grouped_, clusters.sizes);
    const auto all = static_cast<double>(ranks.rows);
    std::vector<double> scores;
    for (std::int32_t g = 0; g < clusters.groups; ++g) {
        const auto inside = static_cast<double>(clusters.sizes[g]);
        const double outside = all - inside;
        scores.push_back(outside > 0 ? (ranks.rank_sum[g] - inside * (all + 1) / 2) /
                                           std::sqrt(inside * outside * (all + 1) / 12)
                                     : 0);
    }
    return scores;
}

FeatureStatistics FeatureMeasurer::measure(std::size_t clustering,
                                           std::span<const SpotValue> values) {
    const auto& clusters = clusterings_[clustering];
    FeatureStatistics result;
    result.wilcoxon = wilcoxon(clusters, values);
    dense_.assign(clusters.graph.rows, 0.0);
    for (const auto& [spot, value] : values)
        if (clusters.place[spot] >= 0) dense_[clusters.place[spot]] = value;
    result.moran = autocorrelation_[clustering].morans_i(dense_);
    result.geary = autocorrelation_[clustering].gearys_c(dense_);

    std::vector<double> count;
    for (const auto group : clusters.specific) {
        if (group >= static_cast<std::int32_t>(count.size())) count.resize(group + 1, 0.0);
        if (group >= 0) ++count[group];
    }
    std::vector<double> sum(count.size(), 0.0);
    double spots = 0;
    double total = 0;
    double known = 0;
    for (const auto& [spot, value] : values) {
        const auto group = clusters.specific[spot];
        if (group < 0) continue;
        sum[group] += value;
        total += value;
        known += value != 0 ? 1 : 0;
    }
    double largest = 0;
    for (std::size_t g = 0; g < count.size(); ++g) {
        spots += count[g];
        if (sum[g] / count[g] <= largest) continue;
        largest = sum[g] / count[g];
        result.largest = static_cast<std::int32_t>(g);
    }
    result.zero_share = spots > 0 ? 1 - known / spots : kNaN;
    result.specificity = total > 0 ? largest / (total / spots) : kNaN;
    return result;
}

std::vector<double> with_noise(std::span<const SpotValue> values, std::int64_t spots,
                               std::uint64_t seed, std::int32_t feature, std::uint64_t sample) {
    std::vector<double> result(spots, 0.0);
    double sum = 0;
    for (const auto& [spot, value] : values) sum += result[spot] = value;
    const auto n = static_cast<double>(spots);
    double squares = 0;
    for (const double x : result) squares += (x - sum / n) * (x - sum / n);
    const double deviation = squares > 0 ? std::sqrt(squares / n) : 1;
    double size = 0;
    for (auto& x : result) size += std::abs(x /= deviation);
    const double noise = kNoise * std::max(1.0, size / n);
    for (std::int64_t r = 0; r < spots; ++r)
        result[r] += noise * core::Philox(seed, core::DrawPurpose::Cluster,
                                          kNoiseDraws + static_cast<std::uint64_t>(feature),
                                          {sample, static_cast<std::uint64_t>(r)})
                                 .normal(0);
    return result;
}

}  // namespace smeta::analysis::detail
