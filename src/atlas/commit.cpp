#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/atlas/writer_lock.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/mudata_parallel.hpp"
#include "smeta/io/source_info.hpp"

#include "layout.hpp"
#include "lease.hpp"
#include "pending.hpp"
#include "slices.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kPatience{60};

std::map<std::string, ModalityShape> shapes_of(const io::MuData& data) {
    std::map<std::string, ModalityShape> shapes;
    for (const auto& [name, modality] : data.modalities)
        shapes[name] = {modality.obs.rows(), static_cast<std::int32_t>(modality.var.rows())};
    return shapes;
}

/// With the rows that the reader left out.
std::map<std::string, ModalityShape> source_shapes_of(const io::MuData& data) {
    auto shapes = shapes_of(data);
    for (const auto& [name, modality] : data.modalities)
        shapes.at(name).dropped = io::dropped(modality);
    return shapes;
}

void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw core::IoError::from_errno("create", folder.string(), error.value());
}

void remove_quietly(const std::vector<std::string>& files) {
    std::error_code ignored;
    for (const std::string& file : files) fs::remove(file, ignored);
}

}  // namespace

struct CommitBatch::State {
    fs::path root;
    const ShardedAtlas& atlas;  // the one that `commit` gets
    std::int64_t file_rows = kJointFileRows;
    std::vector<detail::PendingStage> stages;
    Registry names;
    std::set<std::string> replaced;
    std::vector<std::string> temporaries;  // every one made, for removal
    std::optional<FileLock> writing;

    /// Reserves a temporary file for `relative`; the first one tells repair that somebody writes.
    fs::path reserve(const std::string& relative) {
        announce();
        const fs::path target = root / relative;
        make_folder(target.parent_path());
        temporaries.push_back(io::temporary_name(target.string()));
        return temporaries.back();
    }
    void announce() {
        if (writing) return;
        writing.emplace(writer_lock(root));
    }
    FileEntry write(const std::string& relative, std::int64_t rows, const FileWriter& writer,
                    detail::PendingStage& pending) {
        const fs::path temporary = reserve(relative);
        writer(temporary);
        pending.temporaries.push_back(temporary.string());
        return detail::finish_file(temporary, relative, rows);
    }
    /// Rows [piece) of a section of which this rank holds [held); collective over `section`. The
    /// entry is complete on its rank 0.
    FileEntry write_piece(const comm::Comm& section, const std::string& relative, comm::Range piece,
                          comm::Range held, const io::MuData& mine, std::string& temporary);
    /// Another name than that of the raw file in whose place this one comes.
    std::string raw_path(const std::string& sample, const std::string& key) const {
        const std::string plain = detail::raw_path(sample);
        const StageEntry* old = atlas.manifest().find(sample, kRaw);
        const bool taken = old != nullptr && old->files.front().path == plain;
        if (!replaced.contains(sample) || !taken) return plain;
        core::check(!key.empty(), "raw data that replace others have a key");
        return detail::raw_path(sample, key);
    }
    void add(detail::PendingStage pending, const io::MuData* data) {
        pending.replaces = replaced.contains(pending.sample) && !pending.cohort.empty();
        detail::check_against(atlas.manifest(), pending);
        stages.push_back(std::move(pending));
        if (data == nullptr) return;
        for (const auto& [name, modality] : data->modalities) names.add(name, modality.var.index);
    }
    bool stands(const std::string& sample, std::string_view stage, const std::string& key) const {
        const StageEntry* entry = atlas.manifest().find(sample, stage);
        return entry != nullptr && entry->key == key;
    }
    void check(const Manifest& current) const;
    void refuse_used(const std::string& sample) const;
    void place(const Manifest& current, const detail::PendingStage& pending) const;
    void refuse_named(const Manifest& current, const FileEntry& entry) const;
    /// The new manifest and its checksum, nothing when it stands already.
    struct Written {
        Manifest manifest;
        core::Hash128 text;
    };
    std::optional<Written> finish(Manifest current, const std::vector<detail::PendingStage>& all,
                                  const Registry& all_names) const;
};

// A complete file of that name but other content: only one that nothing refers to may be replaced.
void CommitBatch::State::refuse_named(const Manifest& current, const FileEntry& entry) const {
    std::string user;
    const auto look = [&](const std::map<std::string, StageEntry>& group) {
        for (const auto& [name, stage] : group)
            for (const FileEntry& file : stage.files)
                if (file.path == entry.path) user = "the manifest";
    };
    look(current.stages);
    for (const auto& [name, sample] : current.samples) look(sample.stages);
    for (const auto& named : detail::files_named_by_runs(root))
        if (named.entry.path == entry.path) user = "run " + named.run;
    if (!user.empty())
        throw core::ConfigError(
            fmt::format("{} stands in the atlas with other content and {} names it: files are "
                        "never rewritten",
                        entry.path, user));
}

void CommitBatch::State::refuse_used(const std::string& sample) const {
    const auto runs = detail::runs_that_name(root, sample);
    if (!runs.empty())
        throw core::ConfigError(
            fmt::format("sample '{}' is an input of run {}: it cannot be replaced (take another "
                        "name, or remove "
                        "it with smeta atlas remove --sample {} --force; the run keeps its files)",
                        sample, fmt::join(runs, ", "), sample));
}

void CommitBatch::State::check(const Manifest& current) const {
    for (const auto& pending : stages) {
        detail::check_against(current, pending);
        if (pending.replaces) refuse_used(pending.sample);
    }
}

void CommitBatch::State::place(const Manifest& current, const detail::PendingStage& pending) const {
    const StageEntry* known = current.find(pending.sample, pending.stage);
    if (known != nullptr && known->key == pending.entry.key) return;  // committed by another
    for (std::size_t i = 0; i < pending.entry.files.size(); ++i) {
        const FileEntry& entry = pending.entry.files[i];
        const fs::path target = root / entry.path;
        if (fs::exists(fs::symlink_status(target))) {
            const bool equal = fs::is_regular_file(fs::symlink_status(target)) &&
                               static_cast<std::int64_t>(fs::file_size(target)) == entry.bytes &&
                               io::file_checksum(target.string()) == entry.checksum;
            if (equal) continue;
            refuse_named(current, entry);
        }
        io::commit_file(pending.temporaries[i], target.string());
    }
}

std::optional<CommitBatch::State::Written> CommitBatch::State::finish(
    Manifest current, const std::vector<detail::PendingStage>& all,
    const Registry& all_names) const {
    for (const auto& pending : all) detail::check_against(current, pending);
    std::vector<SampleEntry> replaced_entries;
    for (const auto& pending : all)
        if (const auto old = current.samples.find(pending.sample);
            pending.replaces && old != current.samples.end())
            replaced_entries.push_back(old->second);
    if (!detail::merge(current, all)) return std::nullopt;
    // Names first: after a crash in between the registry has names too many, which does no harm.
    Registry registry = Registry::read(root / detail::kRegistryFile);
    detail::check_held(root / detail::kLockFile);
    if (registry.add(all_names)) registry.write(root / detail::kRegistryFile);
    detail::check_held(root / detail::kLockFile);
    const std::string text = to_json(current);
    io::write_atomically((root / detail::kManifestFile).string(), text);
    for (const SampleEntry& old : replaced_entries) detail::remove_files(root, old, current);
    return Written{std::move(current), core::hash128(text)};
}

CommitBatch::CommitBatch(const ShardedAtlas& atlas, std::int64_t file_rows)
    : state_(std::make_unique<State>(
          State{atlas.path(), atlas, file_rows, {}, {}, {}, {}, std::nullopt})) {
    core::check(file_rows > 0, "a joint file has rows");
}

CommitBatch::~CommitBatch() {
    remove_quietly(state_->temporaries);
}

void CommitBatch::replace(const std::string& sample) {
    state_->refuse_used(sample);
    state_->replaced.insert(sample);
}

void CommitBatch::add_raw(const std::string& sample, const std::string& cohort,
                          const io::MuData& data, const std::string& key) {
    check_name("sample", sample);
    check_name("cohort", cohort);
    core::check(!data.modalities.empty(), "a sample has at least one modality");
    detail::PendingStage pending{sample, cohort, std::string(kRaw), {}, {}};
    if (!key.empty() && state_->stands(sample, kRaw, key)) {
        pending.entry.key = key;
        detail::check_against(state_->atlas.manifest(), pending);
        return;
    }
    std::int64_t rows = 0;
    for (const auto& [name, modality] : data.modalities) rows += modality.obs.rows();
    pending.entry.files.push_back(state_->write(
        state_->raw_path(sample, key), rows,
        [&](const fs::path& file) { io::write_h5mu(file.string(), data); }, pending));
    pending.entry.modalities = source_shapes_of(data);
    pending.entry.key =
        key.empty() ? core::to_hex(pending.entry.files.front().checksum).substr(0, 16) : key;
    state_->add(std::move(pending), &data);
}

void CommitBatch::add_stage(const std::string& sample, std::string_view stage,
                            const std::string& key, const FileWriter& write, std::int64_t rows,
                            const std::map<std::string, ModalityShape>& modalities) {
    check_name("stage", stage);
    core::check(key.size() == 16, "a stage key has 16 hex digits");
    if (state_->stands(sample, stage, key)) return;
    detail::PendingStage pending{sample, "", std::string(stage), {key, {}, modalities, {}}, {}};
    pending.entry.files.push_back(
        state_->write(detail::stage_path(stage, sample, key), rows, write, pending));
    state_->add(std::move(pending), nullptr);
}

void CommitBatch::add_atlas_stage(std::string_view stage, const std::string& key,
                                  const FileWriter& write) {
    add_stage("", stage, key, write, 0);
}

void CommitBatch::add_joint(const std::string& sample, const std::string& key,
                            const io::MuData& data, const std::string& cohort) {
    check_name("sample", sample);
    if (!cohort.empty()) check_name("cohort", cohort);
    core::check(key.size() == 16, "a stage key has 16 hex digits");
    detail::PendingStage pending{sample, cohort, std::string(kJoint), {key, {}, {}, {}}, {}};
    if (state_->stands(sample, kJoint, key)) {
        detail::check_against(state_->atlas.manifest(), pending);
        return;
    }
    detail::check_joint(data);
    const std::int64_t rows = data.modalities.front().second.obs.rows();
    const std::int64_t pieces = detail::joint_pieces(rows, state_->file_rows);
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
        const comm::Range range = detail::piece_range(rows, state_->file_rows, piece);
        const std::string relative = detail::joint_path(sample, key, pieces > 1 ? piece : -1);
        pending.entry.files.push_back(state_->write(
            relative, range.size(),
            [&](const fs::path& file) {
                if (pieces == 1)
                    io::write_h5mu(file.string(), data);
                else
                    io::write_h5mu(file.string(), detail::row_slice(data, range));
            },
            pending));
    }
    pending.entry.modalities = cohort.empty() ? shapes_of(data) : source_shapes_of(data);
    state_->add(std::move(pending), &data);
}

FileEntry CommitBatch::State::write_piece(const comm::Comm& section, const std::string& relative,
                                          comm::Range piece, comm::Range held,
                                          const io::MuData& mine, std::string& temporary) {
    section.root_or_throw([&] { temporary = reserve(relative).string(); });
    section.broadcast(temporary);
    const std::int64_t first = std::clamp(piece.first, held.first, held.last);
    const std::int64_t last = std::clamp(piece.last, first, held.last);
    // Rank 0 joins every file, also with no row: it holds uns and makes the file.
    const bool joins = first < last || section.is_root();
    const comm::Comm writers = section.split(joins ? 0 : 1);
    io::MuData part;
    section.all_or_throw([&] {
        part = detail::row_slice(mine, {first - held.first, last - held.first});
    });
    // Writers fail together; those that have no row in this file learn of it here.
    section.all_or_throw([&] {
        try {
            if (joins) io::write_h5mu(writers, temporary, part);
        } catch (const comm::OutOfStepError&) {
            remove_quietly({temporary});  // rank 0 will not come to it
            throw;
        }
    });
    FileEntry entry;
    section.root_or_throw([&] { entry = detail::finish_file(temporary, relative, piece.size()); });
    return entry;
}

void CommitBatch::add_joint(const comm::Comm& section, const std::string& sample,
                            const std::string& key, const io::MuData& mine,
                            const std::string& cohort) {
    if (section.size() == 1) {
        add_joint(sample, key, mine, cohort);
        return;
    }
    detail::PendingStage pending{sample, cohort, std::string(kJoint), {key, {}, {}, {}}, {}};
    section.all_or_throw([&] {
        check_name("sample", sample);
        if (!cohort.empty()) check_name("cohort", cohort);
        core::check(key.size() == 16, "a stage key has 16 hex digits");
        detail::check_joint(mine);
        if (state_->stands(sample, kJoint, key))
            detail::check_against(state_->atlas.manifest(), pending);
    });
    // The manifest that rank 0 knows decides for all.
    auto stands = static_cast<int>(state_->stands(sample, kJoint, key));
    section.broadcast(stands);
    if (stands != 0) return;
    const std::int64_t own = mine.modalities.front().second.obs.rows();
    std::int64_t rows = 0;
    comm::Range held;
    const std::vector<std::int64_t> all = section.allgather(own);
    for (int rank = 0; rank < section.size(); ++rank) {
        if (rank == section.rank()) held = {rows, rows + own};
        rows += all[rank];
    }
    const std::int64_t pieces = detail::joint_pieces(rows, state_->file_rows);
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
        const std::string relative = detail::joint_path(sample, key, pieces > 1 ? piece : -1);
        std::string temporary;
        pending.entry.files.push_back(state_->write_piece(
            section, relative, detail::piece_range(rows, state_->file_rows, piece), held, mine,
            temporary));
        pending.temporaries.push_back(temporary);
    }
    if (!section.is_root()) return;
    pending.entry.modalities = shapes_of(mine);
    for (auto& [name, shape] : pending.entry.modalities) shape.rows = rows;
    state_->add(std::move(pending), &mine);
}

void CommitBatch::note_dropped(const std::string& sample, std::string_view stage,
                               const std::map<std::string, std::int64_t>& dropped) {
    for (auto& pending : state_->stages)
        if (pending.sample == sample && pending.stage == stage)
            for (auto& [name, shape] : pending.entry.modalities) shape.dropped = dropped;
}

void CommitBatch::commit(ShardedAtlas& atlas) {
    if (!state_->stages.empty()) {
        const FileLock lock(state_->root / detail::kLockFile,
                            {.byte = detail::kManifestByte, .patience = kPatience});
        atlas.refresh();
        state_->check(atlas.manifest_);
        for (const auto& pending : state_->stages) state_->place(atlas.manifest_, pending);
        auto written = state_->finish(atlas.manifest_, state_->stages, state_->names);
        if (written) {  // not parsed again
            atlas.manifest_ = std::move(written->manifest);
            atlas.text_ = written->text;
        }
    }
    remove_quietly(state_->temporaries);
    state_->stages.clear();
    state_->writing.reset();
    atlas.refresh();
}

void CommitBatch::commit(const comm::Comm& comm, ShardedAtlas& atlas) {
    const bool nothing =
        comm.allreduce<std::int64_t>(static_cast<std::int64_t>(state_->stages.size())) == 0;
    std::optional<FileLock> lock;
    if (!nothing) {
        comm.root_or_throw([&] {
            lock.emplace(state_->root / detail::kLockFile,
                         FileLock::Options{.byte = detail::kManifestByte, .patience = kPatience});
        });
        atlas.refresh(comm);
        comm.all_or_throw([&] { state_->check(atlas.manifest_); });
        comm.all_or_throw([&] {
            for (const auto& pending : state_->stages) state_->place(atlas.manifest_, pending);
        });
        const auto parts = comm.allgather(detail::to_json(state_->stages, state_->names));
        comm.root_or_throw([&] {
            std::vector<detail::PendingStage> all;
            Registry names;
            for (const std::string& part : parts) detail::add_from_json(part, all, names);
            auto written = state_->finish(atlas.manifest_, all, names);
            if (!written) return;
            atlas.manifest_ = std::move(written->manifest);
            atlas.text_ = written->text;
        });
    }
    remove_quietly(state_->temporaries);
    state_->stages.clear();
    state_->writing.reset();
    atlas.refresh(comm);
}

}  // namespace smeta::atlas
