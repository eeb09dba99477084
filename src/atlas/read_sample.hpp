#pragma once

#include <string>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/ingest_config.hpp"
#include "smeta/atlas/study.hpp"
#include "smeta/io/annotated.hpp"

#include "metabolite_names.hpp"

namespace smeta::atlas {

/// Whether the source's metabolites are those of imzML files.
bool has_images(const SampleSource& source);
/// The m/z bins of the source's imzML files; empty when it has none. Local, one pass over the m/z.
std::vector<MassBin> mass_bins(const SampleSource& source, const IngestConfig& config);

/// The m/z bins of a sample with their names, as the atlas has them. Local.
MassNames committed_names(const ShardedAtlas& atlas, const std::string& sample);

/// Raw data of one sample from st and/or sm: modalities sm, st. `names`: of its imzML metabolites.
/// Local.
io::MuData read_sample(const SampleSource& source, const MassNames& names,
                       const IngestConfig& config);

struct JointSample {
    std::string name;
    std::string cohort;
    io::MuData data;  ///< the same obs in every modality
};

/// The samples of a joint file, in canonical order. Local.
std::vector<JointSample> read_joint_samples(const SampleSource& source, const IngestConfig& config);

}  // namespace smeta::atlas
