#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/timing.hpp"

namespace smeta::model {

/// How well the model's decoded means (of the latent mean, as embed writes them) follow the values
/// that it was trained on: each feature over the spots that have the modality, mean over the
/// features that are measured and not constant there.
struct ReconstructionFit {
    std::string sample;  ///< empty: over all spots of the run
    std::string modality;
    std::int64_t spots = 0;
    std::int64_t features = 0;  ///< that the means are over
    double pearson = 0;         ///< NaN of no feature; 0 for a constant reconstruction
    double cosine = 0;
    /// Of each spot that has the modality, in order: the score and the spot's influence on it. The
    /// mean is the score, and over spots drawn with replacement the score of these, to first order.
    std::vector<float> pearson_of_spots = {};
    std::vector<float> cosine_of_spots = {};
};

enum class SpotInfluence { Compute, LeaveOut };

/// Of every sample and of all together, for every modality; rows are decoded in blocks and dropped,
/// twice more for the influence of the spots. The same numbers on any number of ranks and threads,
/// the same on every rank. Memory: 40 bytes a feature for each of 16 parts of a sample, 16 bytes a
/// spot and modality. Collective; ConfigError without a model.
std::vector<ReconstructionFit> reconstruction_fit(const comm::Comm& comm, const atlas::Run& run,
                                                  SpotInfluence influence, core::Timings& timings);

}  // namespace smeta::model
