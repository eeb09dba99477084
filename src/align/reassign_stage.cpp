#include <fmt/format.h>

#include "smeta/align/align.hpp"
#include "smeta/align/reassign.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::align {

namespace {

JointTable joint_of(const atlas::ShardedAtlas& atlas, const std::string& sample,
                    const ReassignConfig& config) {
    const io::MuData raw = atlas.read_raw(sample);
    const io::MuData qc = io::read_h5mu(atlas.stage_file(sample, atlas::kQc).string());
    std::optional<AffineTransform> transform;
    if (needs_alignment(raw))
        transform = read_alignment(atlas.stage_file(sample, atlas::kAlign)).transform;
    return build_joint(sample, atlas.cohort(sample), raw, qc, transform, config);
}

}  // namespace

void run_reassign(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const ReassignConfig& config,
                  const std::vector<std::string>& samples) {
    const std::string canonical = atlas::canonical_config(config, "reassign.");
    atlas::CommitBatch batch(atlas);
    atlas::for_own_samples(comm, atlas.samples(samples), [&](const std::string& sample) {
        const std::string raw = atlas.key(sample, atlas::kRaw);
        if (raw.empty()) return fmt::format("reassign: {} came as a joint file", sample);
        const std::string qc = atlas.key(sample, atlas::kQc);
        if (qc.empty())
            throw core::ConfigError(fmt::format(
                "sample '{}' has not been through quality control; run smeta qc first", sample));
        const std::vector<std::string> inputs{raw, qc, atlas.key(sample, atlas::kAlign)};
        const std::string key =
            atlas::stage_key(atlas::kJoint, kReassignVersion, canonical, inputs);
        if (atlas.is_current(sample, atlas::kJoint, key))
            return fmt::format("reassign: {} is up to date", sample);
        const JointTable joint = joint_of(atlas, sample, config);
        batch.add_joint(sample, key, joint.data);
        return fmt::format("reassign: {}: {}", sample, joint.summary);
    });
    if (config.min_intensity || config.max_counts)
        atlas::warn_of_joint_files(atlas, atlas.samples(samples),
                                   "reassign.min_intensity or max_counts");
    batch.commit(comm, atlas);
}

}  // namespace smeta::align
