#pragma once

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/run.hpp"

namespace smeta::atlas {

/// The features that stage select chose (stages/select/features.h5), in model order: modalities sm,
/// st, then others by name; names bytewise. var keeps what describes a feature (type, gene_id, mz,
/// ...), not the statistics; `measured` is left empty, Run::create derives it. ConfigError when the
/// stage was not done. Local.
FeatureSet read_selection(const ShardedAtlas& atlas);

/// How many of the selected features of a modality a sample measured.
struct SelectionCoverage {
    std::string sample;
    std::string modality;
    std::int64_t measured = 0;
    std::int64_t selected = 0;
};
/// Of every sample of the atlas that took part in the selection, by sample, then modality in model
/// order; nothing when the stage was not done. Local.
std::vector<SelectionCoverage> selection_coverage(const ShardedAtlas& atlas);

/// Puts modalities into model order: sm, st, then others by name.
bool model_order(std::string_view a, std::string_view b);

}  // namespace smeta::atlas
