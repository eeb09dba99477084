#pragma once

#include <cstdint>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::atlas {

enum class ExportLayers { None, Reconstruction };

/// What an export holds: sizes for --dry-run.
struct ExportPlan {
    std::int64_t samples = 0;
    std::int64_t rows = 0;
    std::map<std::string, std::int64_t> features;
    std::int64_t stored_values = 0;  ///< of the joint files: an upper bound
};
ExportPlan plan_export(const ShardedAtlas& atlas, const Run* run);

/// All joint rows as one AnnData in SpatialMETA's layout: metabolites (SM) first, then genes (ST),
/// each in bytewise order, var['type']; obs with sample, cohort, spot and the samples' columns;
/// obsm spatial; uns['spatial'][sample] the low-resolution image and scale factors. Raw counts and
/// intensities. Without a run: the joint samples of the atlas and the union of their features (0
/// where not measured); with one: the run's frozen files and features, and the columns of its
/// results where every sample has one. Spot names are kept if unique, else all get "-SAMPLE". In
/// memory; local. ConfigError for modalities other than sm and st, and where nothing is there.
io::AnnData export_joint(const ShardedAtlas& atlas, const Run* run, ExportLayers layers);

/// The same as MuData: one AnnData a modality, each with the rows of the samples that have it.
io::MuData export_mudata(const ShardedAtlas& atlas, const Run* run, ExportLayers layers);

}  // namespace smeta::atlas
