#include "smeta/atlas/run.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "smeta/atlas/listed_file.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/atlas/writer_lock.hpp"
#include "smeta/core/config.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/sealed_file.hpp"

#include "features_file.hpp"
#include "layout.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

constexpr const char* kInputs = "inputs.json";
constexpr const char* kConfig = "config.toml";
constexpr const char* kFeatures = "features.h5";
constexpr const char* kStart = "start";
constexpr const char* kStartedFrom = "run.txt";

fs::path folder_of(const fs::path& atlas, const std::string& name) {
    check_name("run", name);
    return atlas / "runs" / name;
}

void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw core::IoError::from_errno("create", folder.string(), error.value());
}

void copy_whole(const fs::path& from, const fs::path& to) {
    io::replace_file(to.string(), [&](const std::string& temporary) {
        std::error_code error;
        fs::copy_file(from, temporary, fs::copy_options::overwrite_existing, error);
        if (error) throw core::IoError::from_errno("copy", from.string(), error.value());
        io::sync_file(temporary);
    });
}

/// What training starts from stays as it is, whatever becomes of the other run.
void copy_start(const Run& from, const fs::path& folder) {
    if (!fs::exists(from.model_file()))
        throw core::ConfigError(fmt::format(
            "run '{}' has no model to start from: smeta train --run {}", from.name(), from.name()));
    (void)from.features();
    make_folder(folder / kStart);
    copy_whole(from.model_file(), folder / kStart / "model.h5");
    copy_whole(from.folder() / kFeatures, folder / kStart / kFeatures);
    io::write_atomically((folder / kStart / kStartedFrom).string(), from.name() + "\n");
}

/// Gives a folder the name of another, which takes its name in exchange if it is there: at no
/// moment is there neither. Only a file system that cannot exchange goes through a third name,
/// which `verify` reports if the process ends in between.
void exchange_folders(const fs::path& from, const fs::path& to) {
    const auto rename = [](const fs::path& old_name, const fs::path& new_name) {
        std::error_code error;
        fs::rename(old_name, new_name, error);
        if (error) throw core::IoError::from_errno("rename", new_name.string(), error.value());
    };
    if (!fs::exists(to)) return rename(from, to);
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return;
    if (errno != EINVAL && errno != ENOSYS)
        throw core::IoError::from_errno("rename", to.string(), errno);
    const fs::path aside = io::temporary_name(to.string());
    rename(to, aside);
    rename(from, to);
    rename(aside, from);
}

/// Lock byte of one sample's result: byte 0 is the run's own.
std::int64_t lock_byte(const std::string& sample) {
    return 1 + static_cast<std::int64_t>(core::hash64(sample) >> 2U);
}

}  // namespace

RunInputs joint_inputs(const ShardedAtlas& atlas, const std::vector<std::string>& wanted) {
    RunInputs inputs;
    for (const std::string& name : atlas.samples(wanted)) {
        const SampleEntry& entry = atlas.sample(name);
        const StageEntry* joint = entry.find(kJoint);
        if (joint == nullptr)
            throw core::ConfigError(
                fmt::format("sample '{}' has no joint data yet: run `smeta reassign --atlas {}` "
                            "first",
                            name, atlas.path().string()));
        for (const FileEntry& file : joint->files) (void)atlas.checked_file(file);
        inputs.samples.push_back({name, entry.cohort, joint->key, joint->files, joint->modalities});
    }
    if (inputs.samples.empty()) throw core::ConfigError("a run needs at least one sample");
    return inputs;
}

Run::Run(fs::path atlas_path, std::string name, const std::string& inputs_json)
    : atlas_path_(std::move(atlas_path)),
      folder_(folder_of(atlas_path_, name)),
      name_(std::move(name)),
      inputs_(parse_inputs(inputs_json, (folder_ / kInputs).string())),
      inputs_checksum_(core::hash128(inputs_json)) {}

bool Run::exists(const ShardedAtlas& atlas, const std::string& name) {
    return fs::exists(folder_of(atlas.path(), name) / kInputs);
}

Run Run::create(const ShardedAtlas& atlas, const std::string& name, const Setup& setup) {
    const fs::path folder = folder_of(atlas.path(), name);
    make_folder(folder);
    const FileLock writing = writer_lock(atlas.path());
    const FileLock lock(folder / detail::kRunLockFile, {});
    if (exists(atlas, name)) throw core::ConfigError(fmt::format("run '{}' exists already", name));
    RunInputs inputs = joint_inputs(atlas, setup.samples);
    FeatureSet features = detail::with_measured(atlas, inputs, setup.features);
    detail::add_scales(atlas, inputs, setup.scaled, features);
    const std::string features_file = (folder / kFeatures).string();
    detail::write_features(features_file, features, inputs);
    inputs.features = io::file_checksum(features_file);
    write_listed(folder, kConfig, setup.config_toml);
    if (!setup.from.empty()) copy_start(open(atlas, setup.from), folder);
    // Last: from here on the run exists.
    const std::string text = to_json(inputs);
    write_listed(folder, kInputs, text);
    io::sync_folder(folder.parent_path().string());
    return {atlas.path(), name, text};
}

Run Run::open(const ShardedAtlas& atlas, const std::string& name) {
    if (!exists(atlas, name)) {
        const auto close = core::did_you_mean(name, atlas.runs());
        throw core::ConfigError(fmt::format(
            "the atlas {} has no run '{}'{}", atlas.path().string(), name,
            close ? fmt::format("; did you mean '{}'?", *close) : " (smeta train makes one)"));
    }
    const fs::path file = folder_of(atlas.path(), name) / kInputs;
    return {atlas.path(), name, io::read_text_file(file.string())};
}

Run Run::create(const comm::Comm& comm, const ShardedAtlas& atlas, const std::string& name,
                const Setup& setup) {
    comm.root_or_throw([&] { create(atlas, name, setup); });
    return open(comm, atlas, name);
}

Run Run::open(const comm::Comm& comm, const ShardedAtlas& atlas, const std::string& name) {
    std::string text;
    comm.root_or_throw([&] {
        const Run run = open(atlas, name);
        text = io::read_text_file((run.folder() / kInputs).string());
    });
    comm.broadcast(text);
    return {atlas.path(), name, text};
}

std::optional<std::string> Run::move_aside(const ShardedAtlas& atlas, const std::string& name) {
    const fs::path folder = folder_of(atlas.path(), name);
    if (!fs::exists(folder)) return std::nullopt;
    const FileLock lock(folder / detail::kRunLockFile, {});
    for (int n = 1;; ++n) {
        const std::string old = fmt::format("{}.old-{}", name, n);
        const fs::path target = folder_of(atlas.path(), old);
        if (fs::exists(target)) continue;
        std::error_code error;
        fs::rename(folder, target, error);
        if (error) throw core::IoError::from_errno("rename", folder.string(), error.value());
        io::sync_folder(folder.parent_path().string());
        return old;
    }
}

std::vector<std::string> Run::samples() const {
    std::vector<std::string> names;
    for (const InputSample& sample : inputs_.samples) names.push_back(sample.name);
    return names;
}

const InputSample& Run::sample(const std::string& name) const {
    for (const InputSample& sample : inputs_.samples)
        if (sample.name == name) return sample;
    const auto close = core::did_you_mean(name, samples());
    throw core::ConfigError(fmt::format("run '{}' has no sample '{}'{}", name_, name,
                                        close ? fmt::format("; did you mean '{}'?", *close) : ""));
}

FeatureSet Run::features() const {
    const std::string file = (folder_ / kFeatures).string();
    if (!fs::exists(file) || io::file_checksum(file) != inputs_.features)
        throw core::FormatError(
            {.file = file,
             .object = "checksum",
             .expected = core::to_hex(inputs_.features) + " (inputs.json)",
             .found = fs::exists(file) ? core::to_hex(io::file_checksum(file)) : "no file",
             .hint = "restore the file, or start the run anew (smeta train --fresh)"});
    return detail::read_features(file);
}

std::string Run::config_toml() const {
    return io::read_text_file(config_file().string());
}

void Run::write_config(const std::string& toml) const {
    write_listed(folder_, kConfig, toml);
}

void Run::check_inputs(InputCheck check) const {
    check_inputs(comm::Comm::self(), check);
}

void Run::check_inputs(const comm::Comm& comm, InputCheck check) const {
    comm.all_or_throw([&] {
        std::int64_t number = 0;
        for (const InputSample& sample : inputs_.samples)
            for (const FileEntry& entry : sample.files) {
                if (number++ % comm.size() != comm.rank()) continue;
                const fs::path file =
                    resolve_inside(atlas_path_, entry.path, (folder_ / kInputs).string());
                if (check == InputCheck::Checksums)
                    detail::check_content(file, entry);
                else
                    detail::check_size(file, entry);
            }
    });
}

JointReader Run::open_joint(const std::string& sample) const {
    return {atlas_path_, sample, this->sample(sample).files};
}

std::optional<Run::WarmStart> Run::warm_start() const {
    const fs::path start = folder_ / kStart;
    if (!fs::exists(start / kStartedFrom)) return std::nullopt;
    std::string name = io::read_text_file((start / kStartedFrom).string());
    while (!name.empty() && name.back() == '\n') name.pop_back();
    return WarmStart{std::move(name), start / "model.h5", start / kFeatures};
}

fs::path Run::map_folder(const std::string& query) const {
    check_name("query", query);
    return folder_ / "map" / query;
}

fs::path Run::map_file(const std::string& query, const std::string& sample) const {
    check_name("sample", sample);
    return map_folder(query) / (sample + ".h5ad");
}

fs::path Run::prediction_file(const std::string& query, const std::string& modality,
                              const std::string& sample) const {
    check_name("sample", sample);
    check_name("modality", modality);
    return map_folder(query) / "prediction" / modality / (sample + ".h5ad");
}

fs::path Run::result_file(const std::string& sample) const {
    check_name("sample", sample);
    return folder_ / "results" / (sample + ".h5ad");
}

fs::path Run::reconstruction_file(const std::string& sample) const {
    check_name("sample", sample);
    return folder_ / "reconstruction" / (sample + ".h5ad");
}

namespace {

void replace_h5ad(const fs::path& file, const io::AnnData& data) {
    make_folder(file.parent_path());
    io::replace_file(file.string(), [&](const std::string& temporary) {
        io::write_h5ad(temporary, data);
        io::seal_file(temporary);
        detail::finish_file(temporary, {}, data.obs.rows());
    });
}

}  // namespace

void Run::write_mapped(const fs::path& file, const io::AnnData& data) const {
    const FileLock writing = writer_lock(atlas_path_);
    replace_h5ad(file, data);
}

void Run::put_mapped(const std::string& made, const std::string& query) const {
    constexpr std::chrono::minutes kPatience{1};
    const FileLock writing = writer_lock(atlas_path_);
    const FileLock lock(folder_ / detail::kRunLockFile,
                        {.byte = lock_byte("map/" + query), .patience = kPatience});
    const fs::path target = map_folder(query);
    exchange_folders(map_folder(made), target);
    io::sync_folder(target.parent_path().string());
}

bool Run::has_result(const std::string& sample) const {
    return fs::exists(result_file(sample));
}

io::AnnData Run::read_result(const std::string& sample) const {
    if (!has_result(sample))
        throw core::ConfigError(
            fmt::format("run '{}' has no result of sample '{}': run `smeta embed --atlas {} --run "
                        "{}` first",
                        name_, sample, atlas_path_.string(), name_));
    return io::read_h5ad(result_file(sample).string());
}

void Run::write_result(const std::string& sample, const io::AnnData& result) const {
    core::check(result.obs.rows() == this->sample(sample).rows(),
                "a result has one row for each of the sample's spots");
    constexpr std::chrono::minutes kPatience{10};
    const FileLock writing = writer_lock(atlas_path_);
    const FileLock lock(folder_ / detail::kRunLockFile,
                        {.byte = lock_byte(sample), .patience = kPatience});
    replace_h5ad(result_file(sample), result);
}

void Run::update_result(const std::string& sample,
                        const std::function<void(io::AnnData&)>& change) const {
    constexpr std::chrono::minutes kPatience{10};
    const FileLock writing = writer_lock(atlas_path_);
    const FileLock lock(folder_ / detail::kRunLockFile,
                        {.byte = lock_byte(sample), .patience = kPatience});
    io::AnnData result = read_result(sample);
    const std::vector<std::string> spots = result.obs.index;
    change(result);
    core::check(result.obs.index == spots, "an update adds columns and keeps the rows");
    replace_h5ad(result_file(sample), result);
}

bool Run::has_reconstruction(const std::string& sample) const {
    return fs::exists(reconstruction_file(sample));
}

io::AnnData Run::read_reconstruction(const std::string& sample) const {
    if (!has_reconstruction(sample))
        throw core::ConfigError(
            fmt::format("run '{}' has no reconstruction of sample '{}': run `smeta embed` with "
                        "--reconstruction first",
                        name_, sample));
    return io::read_h5ad(reconstruction_file(sample).string());
}

void Run::write_reconstruction(const std::string& sample, const io::AnnData& values) const {
    core::check(values.obs.rows() == this->sample(sample).rows(),
                "a reconstruction has one row for each of the sample's spots");
    const FileLock writing = writer_lock(atlas_path_);
    replace_h5ad(reconstruction_file(sample), values);
}

void Run::write_reconstruction(const std::string& sample, const io::AnnData& values,
                               const io::XStream& x) const {
    core::check(x.rows == this->sample(sample).rows(),
                "a reconstruction has one row for each of the sample's spots");
    const fs::path file = reconstruction_file(sample);
    make_folder(file.parent_path());
    io::replace_file(file.string(), [&](const std::string& temporary) {
        io::write_h5ad(temporary, values, x);
        io::seal_file(temporary);
        detail::finish_file(temporary, {}, x.rows);
    });
}

FileLock Run::lock() const {
    return {folder_ / detail::kRunLockFile, {}};
}

void Run::append_history(std::string_view json) const {
    core::check(json.find('\n') == std::string_view::npos, "one line");
    const std::string line = std::string(json) + "\n";
    const std::string file = history_file().string();
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) throw core::IoError::from_errno("open", file, errno);
    const ssize_t written = ::write(descriptor, line.data(), line.size());
    const bool synced = written == static_cast<ssize_t>(line.size()) && ::fsync(descriptor) == 0;
    const int reason = errno != 0 ? errno : EIO;
    ::close(descriptor);
    if (!synced) throw core::IoError::from_errno("write", file, reason);
}

}  // namespace smeta::atlas
