#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "smeta/analysis/scores.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

struct MarkerScoreOptions {
    /// Of the noise of mutual_information, the test spots of logistic and the bootstrap.
    std::uint64_t seed = 1;
    std::int64_t replicates = 0;  ///< of a bootstrap over the spots of a sample
    /// Bytes that the values held at a time may take on this rank.
    std::int64_t memory = std::int64_t{1} << 30U;
};

/// How many markers of each cluster moran and geary look at; the scores are means over these.
std::vector<std::int64_t> marker_counts(const std::string& modality);

/// The marker scores of several clusterings of a run's spots (-1: no cluster), for each modality st
/// and sm with features of the run: moran_<mod>, geary_<mod>, specificity_<mod>, logistic_<mod> and
/// mutual_information_<mod> (definitions: docs/scores.md), one value a sample. Features are dealt
/// to ranks, samples are gone through one after the other. The same numbers on any number of ranks
/// and threads. Memory: 16 bytes a feature, replicate and clustering, one byte a spot and replicate
/// of a sample. Result: of each clustering, the same on every rank. Collective.
std::vector<std::vector<Score>> marker_scores(
    const comm::Comm& comm, const atlas::Run& run, const ScoredSpots& spots,
    const std::vector<std::span<const std::int32_t>>& clusterings,
    const MarkerScoreOptions& options);

}  // namespace smeta::analysis
