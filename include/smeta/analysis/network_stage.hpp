#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/analysis/groups.hpp"
#include "smeta/analysis/network.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

struct NetworkRequest {
    std::string key = "cluster";  ///< obs column of the clusters
    std::int64_t permutations = 1000;
    std::int64_t radii = 20;  ///< co-occurrence at 1, 2, ... spacings
    std::uint64_t seed = 1;
};

/// How much one modality contributes to the spots of one cluster.
struct Contribution {
    std::string sample;  ///< kAllSamples: all of them
    std::int32_t cluster = 0;
    std::string modality;
    std::int64_t spots = 0;
    double mean = 0;
    double lower = 0;  ///< quartiles, as numpy's percentile has them
    double median = 0;
    double upper = 0;
};

inline constexpr const char* kAllSamples = "all";

/// What is known of one sample, or of all together.
struct SampleNetwork {
    std::string sample;
    std::vector<std::int64_t> spots;  ///< of each cluster
    NeighborhoodEnrichment enrichment;
    CoOccurrence co_occurrence;
    /// Mean distance in spacings; over all samples the mean of the samples' values.
    ClusterTable<double> distance;
};

struct RunNetwork {
    Groups clusters;
    std::vector<SampleNetwork> samples;  ///< "all" first, if there are several
    std::vector<Contribution> contributions;
};

/// The spatial network of a run's clusters. The graph of a section: hexagonal neighbours where
/// array positions are given, else six nearest spots. The same numbers on any number of ranks.
/// Collective; ConfigError where the column is absent.
RunNetwork run_network(const comm::Comm& comm, const atlas::Run& run,
                       const NetworkRequest& request);

/// tables/network_composition.tsv, network_enrichment.tsv, network_co_occurrence.tsv,
/// network_distance.tsv, network_contribution.tsv.
std::string composition_tsv(const RunNetwork& network);
std::string enrichment_tsv(const RunNetwork& network);
std::string co_occurrence_tsv(const RunNetwork& network);
std::string distance_tsv(const RunNetwork& network);
std::string contribution_tsv(const RunNetwork& network);

}  // namespace smeta::analysis
