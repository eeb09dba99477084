#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/spatial/graph.hpp"

namespace smeta::analysis {

/// The spots of one section with their clusters.
struct Section {
    std::string sample;
    core::MatrixD position;              ///< x, y
    std::vector<std::int32_t> clusters;  ///< 0 ... clusters - 1, -1: none (left out everywhere)
    spatial::SpatialGraph graph;         ///< edges count, weights do not
};

/// Table of clusters by clusters, row-major.
template <class T>
struct ClusterTable {
    std::int32_t clusters = 0;
    std::vector<T> values;

    explicit ClusterTable(std::int32_t count = 0)
        : clusters(count), values(static_cast<std::size_t>(count) * count) {}
    T& at(std::int32_t a, std::int32_t b) { return values[a * clusters + b]; }
    T at(std::int32_t a, std::int32_t b) const { return values[a * clusters + b]; }
};

/// How often spots of two clusters are neighbours, against labels shuffled over the spots of each
/// section (squidpy's nhood_enrichment; Palla et al. 2022).
struct NeighborhoodEnrichment {
    ClusterTable<std::int64_t> count;  ///< edges from a spot of a (row) to one of b (column)
    ClusterTable<double> expected;     ///< mean over the permutations
    ClusterTable<double> deviation;    ///< population standard deviation over them
    ClusterTable<double> z;            ///< NaN where the deviation is 0
};

/// Over all edges of the sections together. Permutations are shared by ranks and threads; their
/// draws are keyed by (seed, sample, permutation): the same numbers on any number of both.
/// Collective.
NeighborhoodEnrichment neighborhood_enrichment(const comm::Comm& comm,
                                               const std::vector<Section>& sections,
                                               std::int32_t clusters, std::int64_t permutations,
                                               std::uint64_t seed);

/// P(a spot within the radius is of a | the centre is of b) / P(it is of a), for each radius
/// (squidpy's co_occurrence): 1 = as if clusters did not matter.
struct CoOccurrence {
    std::vector<double> radius;               ///< ascending, in multiples of the spots' spacing
    std::vector<ClusterTable<double>> ratio;  ///< for each radius, at(a, b); 0 without pairs
};

/// Pairs of spots of one section at most radius x spacing apart, all sections together; spacing =
/// median distance to the nearest spot of the section. Collective.
CoOccurrence co_occurrence(const comm::Comm& comm, const std::vector<Section>& sections,
                           std::int32_t clusters, const std::vector<double>& radius);

/// Mean distance between spots of different clusters in one section, in units of the coordinates;
/// NaN where a cluster is absent and on the diagonal. Collective.
ClusterTable<double> cluster_distances(const comm::Comm& comm, const Section& section,
                                       std::int32_t clusters);

/// 1 / distance scaled so that the nearest pair is 1 and the farthest 0 (SpatialMETA's distance
/// network); NaN where the distance is. Local.
ClusterTable<double> proximity(const ClusterTable<double>& distances);

/// Median distance of a spot to its nearest; NaN below two spots. Local.
double spot_spacing(const core::MatrixD& position);

}  // namespace smeta::analysis
