#pragma once

#include <string>
#include <vector>

#include "smeta/align/align_config.hpp"
#include "smeta/align/alignment.hpp"
#include "smeta/atlas/atlas.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::align {

inline constexpr int kAlignVersion = 2;

/// True when imaging pixels have coordinates of their own that must be brought to the spots:
/// modalities st and sm, not joined by spot names.
bool needs_alignment(const io::MuData& raw);

/// The transform by the methods identity and given. ConfigError naming the sample when it is not
/// available.
Alignment choose_alignment(const std::string& sample, const io::MuData& raw,
                           const AlignConfig& config);

/// Method fit on the rows that quality control kept, their values read in blocks. ConfigError
/// naming the sample and modality when it has not been through quality control or its points do
/// not do, FormatError for landmarks. Local.
Alignment fit_alignment(const atlas::ShardedAtlas& atlas, const std::string& sample,
                        const AlignConfig& config);

/// Stage align of the given samples (all when empty), dealt over the ranks: writes
/// stages/align/SAMPLE.h5 for samples that need an alignment and are not current. Method fit uses
/// what quality control kept and depends on it. Collective.
void run_align(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const AlignConfig& config,
               const std::vector<std::string>& samples = {});

/// Maps the columns x and y of a delimited table by the sample's stored transform; every other
/// column is copied. Writes tab-separated text. ConfigError when the sample has no transform,
/// IoError or FormatError for the files. Local.
void apply_to_table(const atlas::ShardedAtlas& atlas, const std::string& sample,
                    const std::string& points, const std::string& out);

}  // namespace smeta::align
