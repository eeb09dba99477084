#pragma once

#include <string>

#include "smeta/atlas/run.hpp"

namespace smeta::atlas::detail {

/// The same features with their mask of the samples that measured each: looked up by name in the
/// joint files' var.
FeatureSet with_measured(const ShardedAtlas& atlas, const RunInputs& inputs,
                         const FeatureSet& features);

/// Adds the scale column to the modalities named `scaled` that have none: one pass over their
/// values in canonical order.
void add_scales(const ShardedAtlas& atlas, const RunInputs& inputs,
                const std::vector<std::string>& scaled, FeatureSet& features);

/// features.h5 (docs/atlas_format.md). Atomic replacement.
void write_features(const std::string& file, const FeatureSet& features, const RunInputs& inputs);
FeatureSet read_features(const std::string& file);

}  // namespace smeta::atlas::detail
