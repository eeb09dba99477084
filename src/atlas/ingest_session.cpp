#include "smeta/atlas/ingest_session.hpp"

#include <algorithm>
#include <exception>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/atomic_file.hpp"

#include "layout.hpp"
#include "lease.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

// A folder that others make and remove again and again.
constexpr int kAttempts = 10;

constexpr std::chrono::seconds kPatience{60};
// The other ranks of a command that failed let go of their temporary files.
constexpr std::chrono::seconds kOwnRanksPatience{2};

bool has_manifest(const fs::path& path) {
    return fs::exists(path / detail::kManifestFile);
}

/// Folders that making an atlas at `path` would make, innermost first.
std::vector<fs::path> absent_folders(const fs::path& path) {
    std::vector<fs::path> absent;
    for (const char* name : detail::kFolders)
        if (!fs::exists(path / name)) absent.push_back(path / name);
    for (fs::path at = fs::absolute(path).lexically_normal(); !fs::exists(at);
         at = at.parent_path())
        if (at.has_filename()) absent.push_back(at);
    return absent;
}

/// No sample, no stage, and no file but our own.
bool holds_nothing(const fs::path& path) {
    const fs::path file = path / detail::kManifestFile;
    const Manifest manifest = parse_manifest(io::read_text_file(file.string()), file.string());
    if (!manifest.samples.empty() || !manifest.stages.empty()) return false;
    const auto entries = fs::recursive_directory_iterator(path);
    return std::all_of(begin(entries), end(entries), [&](const fs::directory_entry& entry) {
        const fs::path name = entry.path().lexically_relative(path);
        const bool folder = std::find(detail::kFolders.begin(), detail::kFolders.end(), name) !=
                            detail::kFolders.end();
        return folder || name == detail::kManifestFile || name == detail::kRegistryFile ||
               name == detail::kLockFile ||
               *name.begin() == detail::lease_folder(detail::kLockFile);
    });
}

/// Nobody else may be there: commands that write hold the writers' byte, those that make an atlas
/// or commit the manifest's.
void remove_if_empty(const fs::path& path, const std::vector<fs::path>& folders) {
    const fs::path lock_file = path / detail::kLockFile;
    const FileLock writers(lock_file,
                           {.byte = detail::kWritersByte, .patience = kOwnRanksPatience});
    const FileLock manifest(lock_file, {.byte = detail::kManifestByte});
    if (!holds_nothing(path)) return;
    for (const char* file : {detail::kManifestFile, detail::kRegistryFile, detail::kLockFile})
        fs::remove(path / file);
    fs::remove_all(detail::lease_folder(lock_file));
    for (const fs::path& folder : folders) fs::remove(folder);
}

}  // namespace

IngestSession::IngestSession(const comm::Comm& comm, const fs::path& path) : path_(path) {
    comm.root_or_throw([&] {
        // Its maker may remove the atlas, with its folder, before we hold the lock.
        for (int attempt = 1; !in_use_ || !has_manifest(path_); ++attempt) {
            if (!has_manifest(path_)) {
                is_new_ = true;
                folders_ = absent_folders(path_);
            }
            const FileLock::Options options{
                .mode = LockMode::Shared, .byte = detail::kWritersByte, .patience = kPatience};
            try {
                atlas_ = ShardedAtlas::open_or_create(path_);
                in_use_.emplace(path_ / detail::kLockFile, options);
            } catch (const core::IoError&) {
                if (attempt == kAttempts || fs::exists(path_)) throw;
            }
        }
    });
    if (!atlas_) atlas_ = ShardedAtlas(path_);
    atlas_->refresh(comm);
}

IngestSession::~IngestSession() {
    in_use_.reset();
    if (!is_new_) return;
    try {
        remove_if_empty(path_, folders_);
    } catch (const std::exception& error) {  // somebody else works there, or may not be removed
        core::log_debug("{} stays: {}", path_.string(), error.what());
    }
}

}  // namespace smeta::atlas
