#pragma once

#include <string>
#include <vector>

#include "smeta/atlas/manifest.hpp"
#include "smeta/atlas/registry.hpp"

namespace smeta::atlas::detail {

/// One stage of one sample (or of the atlas: no sample) whose files are written and checked under
/// temporary names.
struct PendingStage {
    std::string sample;
    std::string cohort;  ///< of a sample that is new or raw; else ""
    std::string stage;
    StageEntry entry;
    std::vector<std::string>
        temporaries;        ///< absolute, one a file of the entry; not sent to others
    bool replaces = false;  ///< all that the manifest has of the sample leaves
};

/// What a rank wants committed, as text for the others.
std::string to_json(const std::vector<PendingStage>& stages, const Registry& names);
void add_from_json(const std::string& text, std::vector<PendingStage>& stages, Registry& names);

/// ConfigError when `stage` contradicts the manifest: another cohort, other raw data, an unknown
/// sample.
void check_against(const Manifest& manifest, const PendingStage& stage);
/// Puts checked stages in; true when that changed anything.
bool merge(Manifest& manifest, const std::vector<PendingStage>& stages);

}  // namespace smeta::atlas::detail
