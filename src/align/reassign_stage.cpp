#include <algorithm>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "smeta/align/align.hpp"
#include "smeta/align/reassign.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"

#include "section_joint.hpp"
#include "section_source.hpp"

namespace smeta::align {

namespace {

/// A section with its raw file open.
struct OpenSection {
    detail::SectionSource source;
    std::optional<detail::SectionJoint> joint;

    OpenSection(const atlas::ShardedAtlas& atlas, const std::string& sample,
                const ReassignConfig& config)
        : source(detail::open_section(atlas.stage_file(sample, atlas::kRaw).string())) {
        const io::MuData qc = io::read_h5mu(atlas.stage_file(sample, atlas::kQc).string());
        std::optional<SpatialTransform> transform;
        if (needs_alignment(source.tables))
            transform = read_alignment(atlas.stage_file(sample, atlas::kAlign)).transform;
        joint.emplace(sample, atlas.cohort(sample), source.tables, qc, source.readers, transform,
                      config);
        if (!atlas.key(sample, kStack).empty())
            joint->set_stack_path(read_stack_path(atlas, sample));
    }
    OpenSection(const OpenSection&) = delete;
    OpenSection& operator=(const OpenSection&) = delete;
};

/// A sample that must be joined anew.
struct Task {
    std::string sample;
    std::string key;
    bool shared = false;  ///< larger than a file: all ranks
};

/// The lines of samples that need no work are logged. Local, equal on every rank.
std::vector<Task> plan(const atlas::ShardedAtlas& atlas, const ReassignConfig& config,
                       const std::vector<std::string>& samples, std::int64_t file_rows) {
    const std::string canonical = atlas::canonical_config(config, "reassign.");
    std::vector<Task> tasks;
    for (const std::string& sample : atlas.samples(samples)) {
        const std::string raw = atlas.key(sample, atlas::kRaw);
        if (raw.empty()) {
            core::log_info("reassign: {} came as a joint file", sample);
            continue;
        }
        const std::string qc = atlas.key(sample, atlas::kQc);
        if (qc.empty())
            throw core::ConfigError(fmt::format(
                "sample '{}' has not been through quality control; run smeta qc first", sample));
        std::vector<std::string> inputs{raw, qc, atlas.key(sample, atlas::kAlign)};
        if (const std::string stack = atlas.key(sample, kStack); !stack.empty())
            inputs.push_back(stack);
        Task task{sample, atlas::stage_key(atlas::kJoint, kReassignVersion, canonical, inputs),
                  false};
        if (atlas.is_current(sample, atlas::kJoint, task.key)) {
            core::log_info("reassign: {} is up to date", sample);
            continue;
        }
        for (const auto& [name, shape] : atlas.sample(sample).find(atlas::kRaw)->modalities)
            task.shared = task.shared || shape.rows > file_rows;
        tasks.push_back(std::move(task));
    }
    return tasks;
}

/// The stage that says what averaging made of the rows, where any are averaged, as the end of the
/// log line. `uses`: of all shares.
std::string add_averaged_rows(const Task& task, const OpenSection& section,
                              const std::vector<detail::RowUses>& uses,
                              const ReassignConfig& config, atlas::CommitBatch& batch) {
    const auto rows = section.joint->averaged_rows(uses);
    if (rows.empty()) return {};
    std::int64_t read = 0;
    std::string line;
    for (const detail::AveragedRows& modality : rows) {
        read += modality.rows.rows();
        line += detail::describe(modality);
    }
    batch.add_stage(
        task.sample, atlas::kReassign, task.key,
        [&](const std::filesystem::path& path) { detail::write_averaged_rows(path, rows, config); },
        read, detail::shapes_of(rows));
    return line;
}

/// One section by all ranks, each its consecutive share of the spots. Collective.
void join_together(const comm::Comm& comm, const atlas::ShardedAtlas& atlas, const Task& task,
                   const ReassignConfig& config, atlas::CommitBatch& batch) {
    JointTable mine;
    std::string averaged;
    {
        std::optional<OpenSection> section;
        comm.all_or_throw([&] {
            section.emplace(atlas, task.sample, config);
            auto& joint = *section->joint;
            joint.take(comm::even_share(joint.candidates(), comm.size(), comm.rank()));
        });
        const auto totals = detail::add_up(comm, section->joint->totals());
        comm.all_or_throw([&] { mine = section->joint->finish(totals); });
        std::vector<detail::RowUses> uses = std::move(section->joint->uses());
        for (detail::RowUses& modality : uses) comm.allreduce(std::span(modality.joint_rows));
        comm.root_or_throw(
            [&] { averaged = add_averaged_rows(task, *section, uses, config, batch); });
    }
    batch.add_joint(comm, task.sample, task.key, mine.data);
    batch.note_dropped(task.sample, atlas::kJoint, mine.dropped);
    core::log_info("reassign: {}: {}{}", task.sample, mine.summary, averaged);
}

}  // namespace

void run_reassign(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const ReassignConfig& config,
                  const std::vector<std::string>& samples, std::int64_t file_rows) {
    const std::vector<Task> tasks = plan(atlas, config, samples, file_rows);
    atlas::CommitBatch batch(atlas, file_rows);
    std::map<std::string, const Task*> alone;
    std::vector<std::string> names;
    for (const Task& task : tasks) {
        if (task.shared && comm.size() > 1) continue;
        alone[task.sample] = &task;
        names.push_back(task.sample);
    }
    atlas::for_own_samples(comm, names, [&](const std::string& sample) {
        OpenSection section(atlas, sample, config);
        auto& joint = *section.joint;
        joint.take({0, joint.candidates()});
        const JointTable table = joint.finish(joint.totals());
        batch.add_joint(sample, alone.at(sample)->key, table.data);
        batch.note_dropped(sample, atlas::kJoint, table.dropped);
        return fmt::format(
            "reassign: {}: {}{}", sample, table.summary,
            add_averaged_rows(*alone.at(sample), section, joint.uses(), config, batch));
    });
    for (const Task& task : tasks)
        if (!alone.contains(task.sample)) join_together(comm, atlas, task, config, batch);
    if (config.min_intensity || config.max_counts)
        atlas::warn_of_joint_files(atlas, atlas.samples(samples),
                                   "reassign.min_intensity or max_counts");
    batch.commit(comm, atlas);
}

}  // namespace smeta::align
