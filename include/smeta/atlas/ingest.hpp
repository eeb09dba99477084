#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/ingest_config.hpp"
#include "smeta/atlas/study.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::atlas {

/// What to do with a sample that the atlas has with other content.
enum class ExistingSample {
    Refuse,   ///< ConfigError
    Replace,  ///< the old one leaves, unless a run names it (ConfigError)
};

enum class IngestOutcome { Added, Replaced, Unchanged };

struct IngestedSample {
    std::string name;
    std::string cohort;
    IngestOutcome outcome = IngestOutcome::Added;
    std::map<std::string, ModalityShape> modalities;
};

/// Bytes of the files that `ingest` may read for a source; IoError where a path does not exist.
/// Local.
std::int64_t source_bytes(const SampleSource& source);

/// Reads the sources into the atlas: st and sm as raw/SAMPLE.h5mu, joint files as
/// joint/SAMPLE.KEY.h5mu. Sources are dealt over ranks and enter in one commit: all of them or,
/// after any error on any rank, none. Samples that take the place of others do so in that commit:
/// before it, and after an error, the old ones are there.
///
/// Every obs gets `sample`, `cohort`, `spot` (of spots), the levels of the source and, with a table
/// of labels, `label`. An SM table named by spots is joined to the ST spots by name (is_paired).
/// m/z of imzML files are matched with one another, so that the samples of one call share names
/// whatever their order. `companions`: sources that others bring in, such as the rest of a study;
/// their m/z (with their names, where the atlas has them) take part in the matching, so that
/// samples of a study that enter one by one, or side by side, get the names of a single call. Names
/// depend on nothing else in the atlas: what other studies name otherwise is matched when features
/// are selected (common_features.hpp). A source whose files, options and description have the
/// checksum of the last time is not read again.
///
/// Returns the samples in canonical order, the same on every rank. Throws ConfigError, FormatError,
/// IoError. Collective.
std::vector<IngestedSample> ingest(const comm::Comm& comm, ShardedAtlas& atlas,
                                   const std::vector<SampleSource>& sources,
                                   const IngestConfig& config, ExistingSample existing,
                                   const std::vector<SampleSource>& companions = {});

}  // namespace smeta::atlas
