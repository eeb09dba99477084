#pragma once

#include <cstdint>
#include <optional>

#include "smeta/analysis/batch_scores.hpp"
#include "smeta/atlas/run.hpp"

namespace smeta::analysis {

/// Batch mixing of a run's samples before and after integration.
struct RunMixing {
    BatchMixing before;  ///< in the 50 leading principal components of the selected features
    BatchMixing after;   ///< in the latent
    std::int64_t spots = 0;
};

/// Scores on at most `most_spots` spots, drawn evenly at random by `seed` (the same on any ranks).
/// Before: each modality scaled to 10,000 a spot, log(1 + x), centred, divided by the root of its
/// total variance, a modality that a sample lacks taken at its mean. Labels of the silhouette are
/// the clusters. Nothing with no spots, with one sample or without clusters. Local; reads the run's
/// joint and result files.
std::optional<RunMixing> run_mixing(const atlas::Run& run, std::int64_t most_spots,
                                    std::uint64_t seed);

}  // namespace smeta::analysis
