#pragma once

#include <cstdint>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/report/report_data.hpp"

namespace smeta::report {

struct GatherOptions {
    std::int64_t features = 3;  ///< of each modality in the reconstruction figures
    double sm_target = 1e3;     ///< total to which the run scaled its metabolites
};

/// Reads what the report shows from the run's files and the atlas's stages: results, metrics.jsonl,
/// history.jsonl, joint files, QC tables, statistics of the selection, stored reconstructions. What
/// is missing is left out, with a note where a reader would look for it. `mixing`, `created` and
/// the versions are left to the caller. Local; throws FormatError on a damaged file.
ReportData gather(const atlas::ShardedAtlas& atlas, const atlas::Run& run,
                  const GatherOptions& options);

/// Coordinates, unit, tissue image, clusters and contributions of one sample, without features;
/// without spots where it has no results. Local; throws as gather.
SampleMap read_sample_map(const atlas::Run& run, const std::string& sample);

/// Lines of metrics.jsonl and of history.jsonl (see docs/atlas_format.md); FormatError naming
/// `file` and the line.
std::vector<EpochMetrics> parse_metrics(const std::string& text, const std::string& file);
struct History {
    std::vector<CommandRecord> commands;
    std::vector<TimingRow> timings;
    std::string warning;  ///< of the last training
};
History parse_history(const std::string& text, const std::string& file);

}  // namespace smeta::report
