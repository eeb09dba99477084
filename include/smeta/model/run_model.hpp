#pragma once

#include <string>
#include <vector>

#include "smeta/atlas/row_source.hpp"
#include "smeta/model/cvae.hpp"
#include "smeta/model/train_config.hpp"

namespace smeta::model {

/// Names of the modalities a run trains on: those of its features, in model order, restricted to
/// model.modalities. Throws ConfigError for a name that the run lacks. Local, pure.
std::vector<std::string> resolve_modalities(const ModelConfig& config,
                                            const atlas::FeatureSet& features);

/// Modalities other than st and sm whose likelihood is of real numbers: their features are scaled
/// (atlas::Run::Setup). Throws ConfigError for an entry of model.likelihoods that says nothing.
/// Local, pure.
std::vector<std::string> scaled_modalities(const ModelConfig& config,
                                           const atlas::FeatureSet& features);

/// The network of a run (spec A7): st counts: log1p input, zinb, softmax times library; sm: as it
/// is beside another modality, log1p alone, Gaussian; others by model.likelihoods: counts as st,
/// real numbers as they are. Throws ConfigError for a likelihood that does not fit. Local, pure.
NetworkOptions make_network(const ModelConfig& config, const LossWeights& weights,
                            const std::vector<std::string>& modalities,
                            const std::vector<std::int32_t>& features,
                            const std::vector<std::vector<std::string>>& categories);

/// Rows [first, last) of a batch as the network takes them.
Chunk to_chunk(const atlas::RowBatch& batch, std::int64_t first, std::int64_t last);

/// What each sample did not measure, with the mean inputs (one vector a modality, empty where all
/// is measured).
std::vector<std::vector<Unmeasured>> unmeasured_features(
    const atlas::RowSource& source, const std::vector<std::vector<float>>& mean_inputs);

}  // namespace smeta::model
