#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "smeta/atlas/maintenance.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"

#include "json_fields.hpp"
#include "layout.hpp"
#include "pending.hpp"
#include "verify_plan.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

using detail::Kind;
using detail::Plan;
using detail::short_text;
using detail::Task;

void check_annotated(const fs::path& file, const FileEntry& entry, Registry& names) {
    std::int64_t largest = 0;
    for (const std::string& modality : io::modality_names(file.string())) {
        const io::AnnDataReader reader(file.string(), modality);
        names.add(modality, reader.var().index);
        largest = std::max(largest, reader.rows());
    }
    // Modalities of raw files have rows of their own; the entry then has their sum.
    if (largest > entry.rows)
        throw core::FormatError({.file = file.string(),
                                 .object = "obs",
                                 .expected = fmt::format("{} rows", entry.rows),
                                 .found = fmt::format("{}", largest),
                                 .hint = {}});
}

/// One that is gone was taken away: nothing needs it.
void check_listed(const fs::path& file, const std::vector<core::Hash128>& accepted) {
    if (!fs::exists(file)) return;
    const core::Hash128 found = core::hash128(io::read_text_file(file.string()));
    if (std::find(accepted.begin(), accepted.end(), found) == accepted.end())
        throw core::FormatError({.file = file.string(),
                                 .object = "checksum",
                                 .expected = core::to_hex(accepted.back()),
                                 .found = core::to_hex(found),
                                 .hint = "damaged, or changed by hand"});
}

fs::path file_of(const fs::path& root, const Task& task) {
    return resolve_inside(root, task.entry.path, (root / detail::kManifestFile).string());
}

/// Checksum of every hashed file, the same on every rank: blocks of 64 MiB are dealt over the
/// ranks, so that all share a large file. Blocks that cannot be read count as empty. Collective.
std::vector<core::Hash128> checksums(const comm::Comm& comm, const fs::path& root,
                                     const Plan& plan) {
    std::vector<core::Hash128> mine;
    std::int64_t number = 0;
    const auto for_each_block = [&](const auto& use) {
        for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
            if (!plan.tasks[i].hashed) continue;
            const std::int64_t blocks = io::checksum_blocks(plan.tasks[i].entry.bytes);
            for (std::int64_t block = 0; block < blocks; ++block)
                use(i, block, static_cast<int>(number++ % comm.size()));
        }
    };
    for_each_block([&](std::size_t i, std::int64_t block, int owner) {
        if (owner != comm.rank()) return;
        mine.emplace_back();
        try {
            mine.back() = io::block_checksum(file_of(root, plan.tasks[i]).string(), block);
        } catch (const core::Error&) {  // check_task says what is wrong with the file
        }
    });
    const auto all = comm.allgather(std::span<const core::Hash128>(mine));
    std::vector<std::size_t> next(comm.size(), 0);
    std::vector<std::vector<core::Hash128>> blocks(plan.tasks.size());
    number = 0;
    for_each_block([&](std::size_t i, std::int64_t, int owner) {
        blocks[i].push_back(all[owner].at(next[owner]++));
    });
    std::vector<core::Hash128> result;
    for (const auto& list : blocks) result.push_back(io::combine_checksums(list));
    return result;
}

void check_task(const fs::path& root, const Task& task, const core::Hash128& checksum,
                Registry& names) {
    const fs::path file = file_of(root, task);
    if (detail::has_entry_checksum(task)) {
        detail::check_size(file, task.entry);
        detail::check_checksum(file, task.entry, checksum);
    }
    if (task.kind == Kind::Listed) return check_listed(file, task.accepted);
    if (task.kind == Kind::Checkpoint && !fs::exists(file)) return;  // training keeps the newest
    if (task.kind == Kind::Sealed || task.kind == Kind::Checkpoint) detail::check_sealed(file);
    if (task.kind != Kind::Checkpoint) detail::check_hdf5(file);
    if (task.kind == Kind::Annotated) check_annotated(file, task.entry, names);
}

/// What the ranks must agree on to share the work.
std::string outline(const Plan& plan) {
    std::string text;
    for (const Task& task : plan.tasks)
        text += fmt::format("{}\n{} {}\n", task.entry.path, task.hashed,
                            task.hashed ? task.entry.bytes : 0);
    return core::to_hex(core::hash128(text));
}

/// All ranks' problems and names on every rank. Collective.
void check_tasks(const comm::Comm& comm, const fs::path& root, const Plan& plan,
                 VerifyReport& report, Registry& names) {
    detail::Json problems = detail::Json::array();
    const std::vector<core::Hash128> found = checksums(comm, root, plan);
    core::Progress progress("verify", static_cast<std::int64_t>(plan.tasks.size()));
    for (std::size_t i = comm.rank(); i < plan.tasks.size(); i += comm.size()) {
        try {
            check_task(root, plan.tasks[i], found[i], names);
        } catch (const core::Error& error) {
            problems.push_back({plan.tasks[i].entry.path, short_text(error)});
        }
        progress.advance(comm.size());
    }
    // Names of bytes that are not UTF-8 must not stop the report.
    const auto replace = detail::Json::error_handler_t::replace;
    for (const std::string& part : comm.allgather(problems.dump(-1, ' ', false, replace)))
        for (const detail::Json& problem : detail::Json::parse(part))
            report.problems.push_back({problem.at(0), problem.at(1)});
    std::vector<detail::PendingStage> none;
    for (const std::string& part : comm.allgather(detail::to_json({}, names)))
        detail::add_from_json(part, none, names);
    for (const Task& task : plan.tasks) report.bytes += task.entry.bytes;
    report.files = static_cast<std::int64_t>(plan.tasks.size());
}

/// Files below `folder` (relative to root), links not followed, ascending.
std::vector<std::string> files_below(const fs::path& root, const std::string& folder) {
    std::vector<std::string> files;
    std::error_code absent;
    for (const auto& entry : fs::recursive_directory_iterator(root / folder, absent))
        if (entry.is_regular_file() || entry.is_symlink())
            files.push_back(entry.path().lexically_relative(root).string());
    std::sort(files.begin(), files.end());
    return files;
}

/// Of a file, or of a folder that it lies in.
bool has_temporary_name(const fs::path& file) {
    return std::any_of(file.begin(), file.end(),
                       [](const fs::path& part) { return io::is_temporary_name(part.string()); });
}

void list_strays(const fs::path& root, const Plan& plan, VerifyReport& report) {
    for (const std::string& file : files_below(root, ""))
        if (has_temporary_name(file)) report.leftovers.push_back(file);
    if (!plan.complete) return;
    for (const char* folder : {"joint", "raw", "stages"})
        for (const std::string& file : files_below(root, folder))
            if (plan.named.count(file) == 0 && !has_temporary_name(file))
                report.unnamed.push_back(file);
}

void check_registry(const fs::path& root, const Plan& plan, const Registry& names,
                    RepairMode repair, VerifyReport& report) {
    const fs::path file = root / detail::kRegistryFile;
    std::string damage;
    try {
        if (fs::exists(file)) detail::check_sealed(file);
        if (!Registry::read(file).covers(names)) damage = "names of the atlas are missing in it";
    } catch (const core::Error& error) {
        damage = short_text(error);
    }
    if (damage.empty()) return;
    if (repair == RepairMode::Repair && plan.complete && report.problems.empty()) {
        names.write(file);
        report.rebuilt.emplace_back(detail::kRegistryFile);
    } else {
        report.problems.push_back({detail::kRegistryFile, damage});
    }
}

/// What is left of folders that were being made once their files are gone. Local.
void remove_temporary_folders(const fs::path& root) {
    std::vector<fs::path> folders;
    std::error_code absent;
    for (const auto& entry : fs::recursive_directory_iterator(root, absent))
        if (entry.is_directory() && !entry.is_symlink() &&
            io::is_temporary_name(entry.path().filename().string()))
            folders.push_back(entry.path());
    for (const fs::path& folder : folders) {
        std::error_code error;
        fs::remove_all(folder, error);
        if (error) throw core::IoError::from_errno("remove", folder.string(), error.value());
    }
}

void remove_strays(const fs::path& root, VerifyReport& report) {
    for (const auto* list : {&report.leftovers, &report.unnamed})
        for (const std::string& file : *list) {
            std::error_code error;
            fs::remove(root / file, error);
            if (error)
                throw core::IoError::from_errno("remove", (root / file).string(), error.value());
            report.removed.push_back(file);
        }
    remove_temporary_folders(root);
}

/// Nobody else may write while repair looks for files that nobody names.
struct RepairLocks {
    std::vector<FileLock> held;

    explicit RepairLocks(const fs::path& root) {
        held.emplace_back(root / detail::kLockFile,
                          FileLock::Options{.byte = detail::kManifestByte});
        held.emplace_back(root / detail::kLockFile,
                          FileLock::Options{.byte = detail::kWritersByte});
        // Training writes for hours and holds its run instead.
        std::error_code absent;
        for (const auto& run : fs::directory_iterator(root / "runs", absent))
            if (run.is_directory())
                held.emplace_back(run.path() / detail::kRunLockFile, FileLock::Options{});
    }
};

void repair_on_root(const fs::path& root, RepairMode repair, const Plan& plan,
                    const Registry& names, VerifyReport& report) {
    list_strays(root, plan, report);
    check_registry(root, plan, names, repair, report);
    if (repair == RepairMode::Repair) remove_strays(root, report);
}

void broadcast(const comm::Comm& comm, VerifyReport& report) {
    detail::Json problems = detail::Json::array();
    for (const Problem& problem : report.problems) problems.push_back({problem.file, problem.what});
    std::string text = detail::Json{
        {"problems", problems},
        {"leftovers", report.leftovers},
        {"unnamed", report.unnamed},
        {"removed", report.removed},
        {"rebuilt",
         report.rebuilt}}.dump(-1, ' ', false, detail::Json::error_handler_t::replace);
    comm.broadcast(text);
    const detail::Json value = detail::Json::parse(text);
    report.problems.clear();
    for (const detail::Json& problem : value.at("problems"))
        report.problems.push_back({problem.at(0), problem.at(1)});
    value.at("leftovers").get_to(report.leftovers);
    value.at("unnamed").get_to(report.unnamed);
    value.at("removed").get_to(report.removed);
    value.at("rebuilt").get_to(report.rebuilt);
}

// An atlas may have lost its manifest.
bool has_trace_of_atlas(const fs::path& path) {
    const auto names = {detail::kManifestFile, detail::kRegistryFile, detail::kLockFile};
    return std::any_of(names.begin(), names.end(),
                       [&](const char* name) { return fs::exists(path / name); });
}

}  // namespace

VerifyReport verify(const comm::Comm& comm, const fs::path& path, RepairMode repair) {
    VerifyReport report;
    std::optional<RepairLocks> locks;
    comm.root_or_throw([&] {
        if (!fs::is_directory(path))
            throw core::ConfigError(
                fmt::format("{} is not an atlas: no such folder", path.string()));
        if (!has_trace_of_atlas(path))
            throw core::ConfigError(
                fmt::format("{} is not an atlas: it has no {} (smeta ingest makes an atlas)",
                            path.string(), detail::kManifestFile));
        if (repair == RepairMode::Repair) locks.emplace(path);
    });
    Plan plan;
    comm.all_or_throw([&] { plan = detail::plan_verification(path); });
    // A commit between two ranks' looks would deal the files differently.
    const auto plans = comm.allgather(outline(plan));
    if (std::any_of(plans.begin(), plans.end(), [&](const auto& p) { return p != plans.front(); }))
        throw core::IoError("the atlas changed while it was read: run verify again");
    report.problems = plan.problems;
    Registry names;
    check_tasks(comm, path, plan, report, names);
    comm.root_or_throw([&] { repair_on_root(path, repair, plan, names, report); });
    std::sort(report.problems.begin(), report.problems.end(),
              [](const Problem& a, const Problem& b) { return a.file < b.file; });
    broadcast(comm, report);
    return report;
}

}  // namespace smeta::atlas
