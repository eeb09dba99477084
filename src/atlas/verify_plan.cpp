#include "verify_plan.hpp"

#include <algorithm>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "smeta/atlas/listed_file.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/io/atomic_file.hpp"

#include "layout.hpp"

namespace smeta::atlas::detail {

namespace fs = std::filesystem;

bool has_entry_checksum(const Task& task) {
    return task.kind == Kind::Annotated || task.kind == Kind::Stage;
}

std::string short_text(const core::Error& error) {
    std::string text = error.what();
    std::replace(text.begin(), text.end(), '\n', ';');
    return text;
}

namespace {

class Planner {
  public:
    explicit Planner(const fs::path& root) : root_(root) {}

    Plan plan() {
        guard(kManifestFile, [&] { add_manifest(); });
        for (const std::string& run : run_names(root_))
            guard(fmt::format("runs/{}/inputs.json", run), [&] { add_run(run); });
        for (const std::string& run : run_names(root_)) add_outputs("runs/" + run + "/");
        for (auto& [path, task] : tasks_) {
            task.hashed = has_entry_checksum(task) && has_entry_size(task);
            plan_.tasks.push_back(std::move(task));
        }
        return std::move(plan_);
    }

  private:
    bool has_entry_size(const Task& task) const {
        std::error_code missing;
        const auto bytes = fs::file_size(root_ / task.entry.path, missing);
        return !missing && static_cast<std::int64_t>(bytes) == task.entry.bytes;
    }
    template <class Work>
    void guard(const std::string& file, const Work& work) {
        try {
            work();
        } catch (const core::Error& error) {
            plan_.problems.push_back({file, short_text(error)});
            plan_.complete = false;
        }
    }
    void add(const FileEntry& entry, Kind kind) {
        plan_.named.insert(entry.path);
        const auto [known, is_new] = tasks_.try_emplace(entry.path, Task{entry, kind});
        if (!is_new && (known->second.entry.checksum != entry.checksum ||
                        known->second.entry.bytes != entry.bytes))
            plan_.problems.push_back(
                {entry.path, "the manifest and a run's inputs.json give it different checksums"});
    }
    void add_stages(const std::map<std::string, StageEntry>& stages) {
        for (const auto& [name, stage] : stages)
            for (const FileEntry& file : stage.files)
                add(file, name == kRaw || name == kJoint ? Kind::Annotated : Kind::Stage);
    }
    void add_manifest() {
        const fs::path file = root_ / kManifestFile;
        const Manifest manifest = parse_manifest(io::read_text_file(file.string()), file.string());
        for (const auto& [name, sample] : manifest.samples) add_stages(sample.stages);
        add_stages(manifest.stages);
    }
    void add_run(const std::string& run) {
        const std::string folder = "runs/" + run + "/";
        const fs::path file = root_ / (folder + "inputs.json");
        const RunInputs inputs = parse_inputs(io::read_text_file(file.string()), file.string());
        for (const InputSample& sample : inputs.samples)
            for (const FileEntry& entry : sample.files) add(entry, Kind::Annotated);
        FileEntry features{
            .path = folder + "features.h5", .checksum = inputs.features, .extra = {}};
        std::error_code missing;
        const auto bytes = fs::file_size(root_ / features.path, missing);
        features.bytes = missing ? 0 : static_cast<std::int64_t>(bytes);
        add(features, Kind::Stage);
    }
    void add_outputs(const std::string& folder) {
        add_listed(folder);
        add_rewritten(folder);
        add_rewritten(folder + "results/");
        add_rewritten(folder + "reconstruction/");
        add_rewritten(folder + "checkpoints/");
        add_rewritten(folder + "start/");
        add_mapped(folder + "map/");
    }
    void add_mapped(const std::string& folder) {
        std::error_code absent;
        for (auto at = fs::recursive_directory_iterator(root_ / folder, absent);
             at != fs::recursive_directory_iterator(); ++at) {
            if (!at->is_directory() || at->is_symlink()) continue;
            if (io::is_temporary_name(at->path().filename().string())) {
                at.disable_recursion_pending();  // a query that is being made
                continue;
            }
            const std::string below = at->path().lexically_relative(root_).string() + "/";
            add_rewritten(below);
            add_listed(below);
        }
    }
    void add_listed(const std::string& folder) {
        guard(folder + kChecksumList, [&] {
            for (ListedFile& file : listed_files(root_ / folder)) {
                Task task{.entry = {}, .kind = Kind::Listed, .accepted = std::move(file.accepted)};
                task.entry.path = folder + file.path;
                std::error_code missing;
                const auto bytes = fs::file_size(root_ / task.entry.path, missing);
                task.entry.bytes = missing ? 0 : static_cast<std::int64_t>(bytes);
                tasks_.try_emplace(task.entry.path, std::move(task));
            }
        });
    }
    // Files that commands rewrite carry their checksum themselves.
    static Kind kind_of(const std::string& folder, const std::string& name) {
        if (folder.ends_with("checkpoints/")) return Kind::Checkpoint;
        const bool of_sample = folder.ends_with("results/") ||
                               folder.ends_with("reconstruction/") ||
                               folder.find("/map/") != std::string::npos;
        const bool sealed = of_sample || name == "model.h5" || name == "neighbors.h5";
        return sealed ? Kind::Sealed : Kind::Unchecked;
    }
    void add_rewritten(const std::string& folder) {
        std::error_code absent;
        for (const auto& file : fs::directory_iterator(root_ / folder, absent)) {
            const std::string name = file.path().filename().string();
            const std::string extension = file.path().extension().string();
            const bool ours = extension == ".h5" || extension == ".h5ad" || extension == ".h5mu" ||
                              extension == ".ckpt";
            if (!ours || !file.is_regular_file() || io::is_temporary_name(name)) continue;
            if (tasks_.count(folder + name) != 0) continue;
            FileEntry entry{.path = folder + name, .checksum = {}, .extra = {}};
            entry.bytes = static_cast<std::int64_t>(file.file_size());
            tasks_.try_emplace(entry.path, Task{entry, kind_of(folder, name)});
        }
    }

    fs::path root_;
    Plan plan_;
    std::map<std::string, Task> tasks_;
};

}  // namespace

Plan plan_verification(const fs::path& atlas) {
    return Planner(atlas).plan();
}

}  // namespace smeta::atlas::detail
