#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::atlas {

/// `smeta atlas list`: one row a sample.
struct SampleInfo {
    std::string name;
    std::string cohort;
    std::map<std::string, ModalityShape> raw;  ///< empty for joint input
    std::int64_t joint_rows = 0;
    std::map<std::string, ModalityShape> joint;
    std::vector<std::string> stages;  ///< done, in the order of the chain
    /// Of raw and qc a modality each, of joint the spots: rows read = kept + dropped.
    struct Rows {
        std::string stage;
        std::string modality;  ///< "" for joint
        std::int64_t kept = 0;
        std::map<std::string, std::int64_t> dropped;  ///< by reason
    };
    std::vector<Rows> rows;
    std::int64_t bytes = 0;
};
struct RunInfo {
    std::string name;
    std::int64_t samples = 0;
    std::int64_t rows = 0;
    std::vector<std::string> removed;  ///< samples that the atlas no longer has
};
/// `smeta atlas info`.
struct AtlasInfo {
    std::string version;
    std::vector<SampleInfo> samples;
    std::map<std::string, std::int64_t> cohorts;   ///< samples of each
    std::map<std::string, std::int64_t> features;  ///< names in the registry, by modality
    std::vector<RunInfo> runs;
    std::int64_t files = 0;
    std::int64_t bytes = 0;
};
AtlasInfo describe(const ShardedAtlas& atlas);

enum class RepairMode { ReportOnly, Repair };

struct Problem {
    std::string file;  ///< relative to the atlas
    std::string what;
    bool operator==(const Problem&) const = default;
};
struct VerifyReport {
    std::int64_t files = 0;  ///< checked
    std::int64_t bytes = 0;
    std::vector<Problem> problems;       ///< damage: ordered by file
    std::vector<std::string> leftovers;  ///< temporary files of a write that did not end
    std::vector<std::string> unnamed;  ///< complete files that neither the manifest nor a run names
    std::vector<std::string> removed;  ///< what repair removed
    std::vector<std::string> rebuilt;  ///< what repair derived anew (registry.h5)
    bool sound() const { return problems.empty(); }
};
/// Checks every file that the manifest and the runs name: presence, size, checksum, structure and
/// index ranges; then lists leftovers and unnamed files, and removes them under Repair (which
/// IoError refuses while another command writes). Damaged data cannot be repaired: they stay and
/// are reported. Files are dealt over ranks; the same report everywhere. A damaged manifest is a
/// problem, not an exception. Collective.
VerifyReport verify(const comm::Comm& comm, const std::filesystem::path& path, RepairMode repair);

enum class RemoveMode { RefuseIfUsed, Force };
/// Removes the sample from the manifest and then its files, except joint files that a run names
/// (Force keeps those too, so the run can still train). ConfigError when unknown, or when a run
/// names it without Force. Local.
void remove_sample(ShardedAtlas& atlas, const std::string& sample, RemoveMode mode);

}  // namespace smeta::atlas
