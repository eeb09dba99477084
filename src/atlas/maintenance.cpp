#include "smeta/atlas/maintenance.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/atlas/run.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"

#include "layout.hpp"
#include "lease.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

constexpr std::array kChain = {kRaw, kQc, kAlign, kJoint};

std::vector<SampleInfo::Rows> rows_of(const SampleEntry& entry) {
    std::vector<SampleInfo::Rows> rows;
    for (const std::string_view stage : {kRaw, kQc, kReassign, kJoint}) {
        const StageEntry* done = entry.find(stage);
        if (done == nullptr) continue;
        for (const auto& [modality, shape] : done->modalities) {
            const bool joint = stage == kJoint;
            rows.push_back({std::string(stage), joint ? "" : modality, shape.rows, shape.dropped});
            if (joint) break;  // the same rows in every modality
        }
    }
    return rows;
}

SampleInfo describe_sample(const std::string& name, const SampleEntry& entry) {
    SampleInfo info;
    info.name = name;
    info.cohort = entry.cohort;
    for (const std::string_view stage : kChain)
        if (entry.find(stage) != nullptr) info.stages.emplace_back(stage);
    for (const auto& [stage, stage_entry] : entry.stages) {
        info.bytes += stage_entry.bytes();
        if (std::find(kChain.begin(), kChain.end(), stage) == kChain.end())
            info.stages.push_back(stage);
    }
    if (const StageEntry* raw = entry.find(kRaw)) info.raw = raw->modalities;
    if (const StageEntry* joint = entry.find(kJoint)) {
        info.joint = joint->modalities;
        info.joint_rows = joint->rows();
    }
    info.rows = rows_of(entry);
    return info;
}

RunInfo describe_run(const ShardedAtlas& atlas, const std::string& name) {
    const Run run = Run::open(atlas, name);
    RunInfo info;
    info.name = name;
    info.samples = static_cast<std::int64_t>(run.inputs().samples.size());
    info.rows = run.inputs().rows();
    for (const std::string& sample : run.samples())
        if (atlas.manifest().samples.count(sample) == 0) info.removed.push_back(sample);
    return info;
}

}  // namespace

AtlasInfo describe(const ShardedAtlas& atlas) {
    AtlasInfo info;
    const Manifest& manifest = atlas.manifest();
    info.version = fmt::format("{}.{}", Manifest::kMajor, manifest.minor);
    const auto count = [&](const std::map<std::string, StageEntry>& stages) {
        for (const auto& [name, stage] : stages) {
            info.files += static_cast<std::int64_t>(stage.files.size());
            info.bytes += stage.bytes();
        }
    };
    for (const auto& [name, entry] : manifest.samples) {
        info.samples.push_back(describe_sample(name, entry));
        ++info.cohorts[entry.cohort];
        count(entry.stages);
    }
    count(manifest.stages);
    const Registry registry = atlas.registry();
    for (const auto& [modality, names] : registry.modalities())
        info.features[modality] = static_cast<std::int64_t>(names.size());
    for (const std::string& run : atlas.runs()) info.runs.push_back(describe_run(atlas, run));
    return info;
}

void remove_sample(ShardedAtlas& atlas, const std::string& sample, RemoveMode mode) {
    constexpr std::chrono::seconds kPatience{60};
    const FileLock lock(atlas.path() / detail::kLockFile,
                        {.byte = detail::kManifestByte, .patience = kPatience});
    atlas.refresh();
    const SampleEntry removed = atlas.sample(sample);
    const auto runs = detail::runs_that_name(atlas.path(), sample);
    if (!runs.empty() && mode == RemoveMode::RefuseIfUsed)
        throw core::ConfigError(
            fmt::format("sample '{}' is an input of run {}: --force removes it from the atlas (its "
                        "joint files stay, so that the run can go on)",
                        sample, fmt::join(runs, ", ")));
    Manifest manifest = atlas.manifest();
    manifest.samples.erase(sample);
    detail::check_held(atlas.path() / detail::kLockFile);
    io::write_atomically((atlas.path() / detail::kManifestFile).string(), to_json(manifest));
    atlas.refresh();
    detail::remove_files(atlas.path(), removed, manifest);
}

}  // namespace smeta::atlas
