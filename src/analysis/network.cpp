#include "smeta/analysis/network.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "smeta/analysis/batch_scores.hpp"
#include "smeta/analysis/silhouette.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/spatial/knn.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Edges between spots that have a cluster, and these spots' clusters.
struct ClusteredEdges {
    std::uint64_t sample = 0;
    std::vector<std::int32_t> clusters;
    std::vector<std::pair<std::int32_t, std::int32_t>> edges;

    explicit ClusteredEdges(const Section& section) : sample(core::sample_key(section.sample)) {
        std::vector<std::int32_t> position(section.clusters.size(), -1);
        for (std::size_t i = 0; i < section.clusters.size(); ++i)
            if (section.clusters[i] >= 0) {
                position[i] = static_cast<std::int32_t>(clusters.size());
                clusters.push_back(section.clusters[i]);
            }
        for (std::int64_t i = 0; i < section.graph.rows; ++i)
            for (const auto j : section.graph.row_columns(i))
                if (position[i] >= 0 && position[j] >= 0)
                    edges.emplace_back(position[i], position[j]);
    }
    void count(const std::vector<std::int32_t>& labels, ClusterTable<std::int64_t>& table) const {
        for (const auto& [i, j] : edges) ++table.at(labels[i], labels[j]);
    }
    /// Fisher-Yates; the draws depend on the sample and the permutation alone.
    void shuffle(std::uint64_t seed, std::int64_t permutation,
                 std::vector<std::int32_t>& labels) const {
        labels = clusters;
        const core::Philox random(seed, core::DrawPurpose::Cluster,
                                  static_cast<std::uint64_t>(permutation) + 1, {sample, 0});
        for (std::size_t i = labels.size(); i > 1; --i)
            std::swap(labels[i - 1], labels[random.below(i, i)]);
    }
};

/// Sums over permutations, exact in integers.
struct PermutationSums {
    std::vector<std::int64_t> counts;
    std::vector<std::int64_t> squares;

    explicit PermutationSums(std::int32_t clusters)
        : counts(static_cast<std::size_t>(clusters) * clusters, 0), squares(counts.size(), 0) {}
    void add(const ClusterTable<std::int64_t>& table) {
        for (std::size_t c = 0; c < counts.size(); ++c) {
            counts[c] += table.values[c];
            squares[c] += table.values[c] * table.values[c];
        }
    }
    void add(const PermutationSums& other) {
        for (std::size_t c = 0; c < counts.size(); ++c) {
            counts[c] += other.counts[c];
            squares[c] += other.squares[c];
        }
    }
};

PermutationSums permute(const std::vector<ClusteredEdges>& sections, std::int32_t clusters,
                        comm::Range permutations, std::uint64_t seed) {
    PermutationSums sums(clusters);
#pragma omp parallel num_threads(core::threads())
    {
        PermutationSums own(clusters);
        std::vector<std::int32_t> labels;
#pragma omp for schedule(dynamic, 4)
        for (std::int64_t p = permutations.first; p < permutations.last; ++p) {
            ClusterTable<std::int64_t> table(clusters);
            for (const auto& section : sections) {
                section.shuffle(seed, p, labels);
                section.count(labels, table);
            }
            own.add(table);
        }
#pragma omp critical(smeta_network_permutations)
        sums.add(own);
    }
    return sums;
}

}  // namespace

NeighborhoodEnrichment neighborhood_enrichment(const comm::Comm& comm,
                                               const std::vector<Section>& sections,
                                               std::int32_t clusters, std::int64_t permutations,
                                               std::uint64_t seed) {
    std::vector<ClusteredEdges> edges(sections.begin(), sections.end());
    NeighborhoodEnrichment result{ClusterTable<std::int64_t>(clusters),
                                  ClusterTable<double>(clusters), ClusterTable<double>(clusters),
                                  ClusterTable<double>(clusters)};
    for (const auto& section : edges) section.count(section.clusters, result.count);
    PermutationSums sums(clusters);
    comm.all_or_throw([&] {
        sums = permute(edges, clusters, comm::even_share(permutations, comm.size(), comm.rank()),
                       seed);
    });
    comm.allreduce(std::span<std::int64_t>(sums.counts));
    comm.allreduce(std::span<std::int64_t>(sums.squares));
    const auto n = static_cast<double>(permutations);
    for (std::size_t c = 0; c < sums.counts.size(); ++c) {
        const double mean = static_cast<double>(sums.counts[c]) / n;
        __extension__ using Wide = __int128;
        const Wide spread = Wide{permutations} * sums.squares[c] -
                            Wide{sums.counts[c]} * sums.counts[c];  // n^2 times the variance
        const double deviation = std::sqrt(static_cast<double>(spread)) / n;
        result.expected.values[c] = mean;
        result.deviation.values[c] = deviation;
        result.z.values[c] =
            deviation > 0 ? (static_cast<double>(result.count.values[c]) - mean) / deviation : kNaN;
    }
    return result;
}

double spot_spacing(const core::MatrixD& position) {
    if (position.rows() < 2) return kNaN;
    return median(spatial::nearest_neighbours(position, 1).distances);
}

CoOccurrence co_occurrence(const comm::Comm& comm, const std::vector<Section>& sections,
                           std::int32_t clusters, const std::vector<double>& radius) {
    core::check(std::is_sorted(radius.begin(), radius.end()), "radii ascend");
    const auto cells = static_cast<std::size_t>(clusters) * clusters;
    std::vector<std::int64_t> pairs(radius.size() * cells, 0);  // first radius that holds them
    comm.all_or_throw([&] {
        for (const auto& section : sections) {
            const double spacing = spot_spacing(section.position);
            if (!(spacing > 0) || radius.empty()) continue;
            const spatial::PointIndex index(section.position);
            const auto own = comm::even_share(section.position.rows(), comm.size(), comm.rank());
#pragma omp parallel num_threads(core::threads())
            {
                std::vector<std::int64_t> mine(pairs.size(), 0);
#pragma omp for schedule(dynamic, 64)
                for (std::int64_t i = own.first; i < own.last; ++i) {
                    const auto centre = section.clusters[i];
                    if (centre < 0) continue;
                    for (const auto& found : index.within({section.position.row(i).data(), 2},
                                                          radius.back() * spacing)) {
                        const auto other = section.clusters[found.row];
                        if (found.row == i || other < 0) continue;
                        const auto r = std::lower_bound(radius.begin(), radius.end(),
                                                        found.distance / spacing) -
                                       radius.begin();
                        if (r < static_cast<std::ptrdiff_t>(radius.size()))
                            ++mine[r * cells + centre * clusters + other];
                    }
                }
#pragma omp critical(smeta_network_pairs)
                for (std::size_t c = 0; c < pairs.size(); ++c) pairs[c] += mine[c];
            }
        }
    });
    comm.allreduce(std::span<std::int64_t>(pairs));
    CoOccurrence result{radius, {}};
    std::vector<std::int64_t> within(cells, 0);
    for (std::size_t r = 0; r < radius.size(); ++r) {
        for (std::size_t c = 0; c < cells; ++c) within[c] += pairs[r * cells + c];
        // Pairs are counted in both directions: rows and columns have the same sums.
        std::vector<double> of(clusters, 0);
        double all = 0;
        for (std::int32_t a = 0; a < clusters; ++a)
            for (std::int32_t b = 0; b < clusters; ++b) {
                of[a] += static_cast<double>(within[a * clusters + b]);
                all += static_cast<double>(within[a * clusters + b]);
            }
        ClusterTable<double> ratio(clusters);
        for (std::int32_t a = 0; a < clusters; ++a)
            for (std::int32_t b = 0; b < clusters; ++b)
                if (of[a] > 0 && of[b] > 0)
                    ratio.at(a, b) =
                        static_cast<double>(within[b * clusters + a]) / of[b] / (of[a] / all);
        result.ratio.push_back(std::move(ratio));
    }
    return result;
}

ClusterTable<double> cluster_distances(const comm::Comm& comm, const Section& section,
                                       std::int32_t clusters) {
    std::vector<std::int64_t> rows;
    std::vector<std::int32_t> labels;
    for (std::size_t i = 0; i < section.clusters.size(); ++i)
        if (section.clusters[i] >= 0) {
            rows.push_back(static_cast<std::int64_t>(i));
            labels.push_back(section.clusters[i]);
        }
    std::vector<double> size(clusters, 0);
    for (const auto label : labels) ++size[label];
    const auto sums =
        group_distance_sums(comm, select_rows(section.position, rows), labels, clusters);
    ClusterTable<double> result(clusters);
    for (std::size_t i = 0; i < labels.size(); ++i)
        for (std::int32_t b = 0; b < clusters; ++b)
            result.at(labels[i], b) += sums[i * clusters + b];
    for (std::int32_t a = 0; a < clusters; ++a)
        for (std::int32_t b = 0; b < clusters; ++b)
            result.at(a, b) =
                a == b || size[a] * size[b] == 0 ? kNaN : result.at(a, b) / (size[a] * size[b]);
    return result;
}

ClusterTable<double> proximity(const ClusterTable<double>& distances) {
    double low = std::numeric_limits<double>::infinity();
    double high = 0;
    for (const double d : distances.values)
        if (!std::isnan(d)) {
            low = std::min(low, 1 / d);
            high = std::max(high, 1 / d);
        }
    ClusterTable<double> result(distances.clusters);
    for (std::size_t c = 0; c < distances.values.size(); ++c)
        result.values[c] = high > low ? (1 / distances.values[c] - low) / (high - low)
                                      : (std::isnan(distances.values[c]) ? kNaN : 1.0);
    return result;
}

}  // namespace smeta::analysis
