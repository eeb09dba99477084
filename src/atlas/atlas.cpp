#include "smeta/atlas/atlas.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "smeta/atlas/names.hpp"
#include "smeta/core/config.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"

#include "layout.hpp"
#include "lease.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds kPatience{60};

std::string manifest_text(const fs::path& path) {
    return io::read_text_file((path / detail::kManifestFile).string());
}

bool has_manifest(const fs::path& path) {
    return fs::exists(path / detail::kManifestFile);
}

void check_there(const fs::path& path) {
    if (has_manifest(path)) return;
    throw core::ConfigError(
        fmt::format("{} is not an atlas: it has no {} (smeta ingest makes an atlas)", path.string(),
                    detail::kManifestFile));
}

/// A folder that holds anything but our own (empty) folders is not ours to fill.
void refuse_foreign_content(const fs::path& path) {
    for (const auto& entry : fs::directory_iterator(path)) {
        const std::string name = entry.path().filename().string();
        const bool ours = std::find(detail::kFolders.begin(), detail::kFolders.end(), name) !=
                              detail::kFolders.end() ||
                          name == detail::kLockFile || name == detail::kManifestFile ||
                          name == detail::lease_folder(detail::kLockFile) ||
                          name == detail::kRegistryFile || io::is_temporary_name(name);
        if (!ours)
            throw core::ConfigError(
                fmt::format("{} has other content ({}) and is not an atlas: name a new folder",
                            path.string(), name));
    }
}

std::string command_for(std::string_view stage) {
    if (stage == kRaw) return "smeta ingest";
    if (stage == kJoint) return "smeta reassign";
    return fmt::format("smeta {}", stage);
}

std::string stage_of(const std::string& sample) {
    return sample.empty() ? "the atlas" : "sample " + sample;
}

}  // namespace

ShardedAtlas ShardedAtlas::make(const fs::path& path, IfThere if_there) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) throw core::IoError::from_errno("create", path.string(), error.value());
    refuse_foreign_content(path);
    const FileLock lock(path / detail::kLockFile,
                        {.byte = detail::kManifestByte, .patience = kPatience});
    if (has_manifest(path)) {
        if (if_there == IfThere::Open) return open(path);
        throw core::ConfigError(fmt::format("{} is an atlas already", path.string()));
    }
    for (const char* folder : detail::kFolders) {
        fs::create_directory(path / folder, error);
        if (error)
            throw core::IoError::from_errno("create", (path / folder).string(), error.value());
    }
    io::sync_folder(path.string());
    io::write_atomically((path / detail::kManifestFile).string(), to_json(Manifest{}));
    return open(path);
}

ShardedAtlas ShardedAtlas::create(const fs::path& path) {
    return make(path, IfThere::Refuse);
}

ShardedAtlas ShardedAtlas::open(const fs::path& path) {
    check_there(path);
    ShardedAtlas atlas(path);
    atlas.refresh();
    return atlas;
}

ShardedAtlas ShardedAtlas::open_or_create(const fs::path& path) {
    // Without the lock only to find an atlas that is there: another may make it at the same time.
    return has_manifest(path) ? open(path) : make(path, IfThere::Open);
}

ShardedAtlas ShardedAtlas::open(const comm::Comm& comm, const fs::path& path) {
    comm.root_or_throw([&] { check_there(path); });
    ShardedAtlas atlas(path);
    atlas.refresh(comm);
    return atlas;
}

ShardedAtlas ShardedAtlas::open_or_create(const comm::Comm& comm, const fs::path& path) {
    ShardedAtlas atlas(path);
    comm.root_or_throw([&] { atlas = open_or_create(path); });
    atlas.refresh(comm);
    return atlas;
}

void ShardedAtlas::take(const std::string& text) {
    const core::Hash128 hash = core::hash128(text);
    if (hash == text_) return;
    manifest_ = parse_manifest(text, (path_ / detail::kManifestFile).string());
    text_ = hash;
}

void ShardedAtlas::refresh() {
    take(manifest_text(path_));
}

void ShardedAtlas::refresh(const comm::Comm& comm) {
    std::string text;
    comm.root_or_throw([&] {
        text = manifest_text(path_);
        take(text);
    });
    std::string current = core::to_hex(text_);
    comm.broadcast(current);
    const int differs = current == core::to_hex(text_) ? 0 : 1;
    if (comm.allreduce(differs, comm::ReduceOp::Max) == 0) return;
    comm.broadcast(text);
    take(text);
}

std::vector<std::string> ShardedAtlas::samples() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : manifest_.samples) names.push_back(name);
    return names;
}

std::vector<std::string> ShardedAtlas::samples(const std::vector<std::string>& wanted) const {
    if (wanted.empty()) return samples();
    std::set<std::string> names;
    for (const std::string& name : wanted) {
        (void)sample(name);
        names.insert(name);
    }
    return {names.begin(), names.end()};
}

const SampleEntry& ShardedAtlas::sample(const std::string& name) const {
    const auto found = manifest_.samples.find(name);
    if (found != manifest_.samples.end()) return found->second;
    const auto close = core::did_you_mean(name, samples());
    throw core::ConfigError(fmt::format("the atlas {} has no sample '{}'{}", path_.string(), name,
                                        close ? fmt::format("; did you mean '{}'?", *close) : ""));
}

bool ShardedAtlas::is_current(const std::string& sample, std::string_view stage,
                              std::string_view key) const {
    const StageEntry* entry = manifest_.find(sample, stage);
    return entry != nullptr && entry->key == key;
}

std::string ShardedAtlas::key(const std::string& sample, std::string_view stage) const {
    const StageEntry* entry = manifest_.find(sample, stage);
    return entry == nullptr ? std::string() : entry->key;
}

fs::path ShardedAtlas::checked_file(const FileEntry& file) const {
    const fs::path path =
        resolve_inside(path_, file.path, (path_ / detail::kManifestFile).string());
    detail::check_size(path, file);
    return path;
}

namespace {

const StageEntry& require_stage(const ShardedAtlas& atlas, const std::string& sample,
                                std::string_view stage) {
    if (!sample.empty()) (void)atlas.sample(sample);
    const StageEntry* entry = atlas.manifest().find(sample, stage);
    if (entry == nullptr)
        throw core::ConfigError(fmt::format("{} has no {} data yet: run `{} --atlas {}` first",
                                            stage_of(sample), stage, command_for(stage),
                                            atlas.path().string()));
    return *entry;
}

}  // namespace

fs::path ShardedAtlas::stage_file(const std::string& sample, std::string_view stage) const {
    const StageEntry& entry = require_stage(*this, sample, stage);
    core::check(entry.files.size() == 1, "the stage has a single file");
    return checked_file(entry.files.front());
}

io::MuData ShardedAtlas::read_raw(const std::string& sample) const {
    return io::read_h5mu(stage_file(sample, kRaw).string());
}

JointReader ShardedAtlas::open_joint(const std::string& sample) const {
    return {path_, sample, require_stage(*this, sample, kJoint).files};
}

io::MuData ShardedAtlas::read_joint(const std::string& sample) const {
    return open_joint(sample).read_all();
}

std::vector<std::string> ShardedAtlas::runs() const {
    return detail::run_names(path_);
}

void ShardedAtlas::commit_raw(const std::string& sample, const std::string& cohort,
                              const io::MuData& data, const std::string& key) {
    CommitBatch batch(*this);
    batch.add_raw(sample, cohort, data, key);
    batch.commit(*this);
}

void ShardedAtlas::commit_stage(const std::string& sample, std::string_view stage,
                                const std::string& key, const FileWriter& write,
                                std::int64_t rows) {
    CommitBatch batch(*this);
    batch.add_stage(sample, stage, key, write, rows);
    batch.commit(*this);
}

void ShardedAtlas::commit_joint(const std::string& sample, const std::string& key,
                                const io::MuData& data) {
    commit_joint(sample, "", key, data);
}

void ShardedAtlas::commit_joint(const std::string& sample, const std::string& cohort,
                                const std::string& key, const io::MuData& data) {
    CommitBatch batch(*this);
    batch.add_joint(sample, key, data, cohort);
    batch.commit(*this);
}

void ShardedAtlas::commit_atlas_stage(std::string_view stage, const std::string& key,
                                      const FileWriter& write) {
    CommitBatch batch(*this);
    batch.add_atlas_stage(stage, key, write);
    batch.commit(*this);
}

}  // namespace smeta::atlas
