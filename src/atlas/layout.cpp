#include "layout.hpp"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "smeta/atlas/names.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/sealed_file.hpp"

namespace smeta::atlas::detail {

namespace fs = std::filesystem;

namespace {

std::string short_key(const std::string& key) {
    return key.substr(0, 8);
}

}  // namespace

std::string raw_path(const std::string& sample) {
    return fmt::format("raw/{}.h5mu", sample);
}

std::string raw_path(const std::string& sample, const std::string& key) {
    return fmt::format("raw/{}.{}.h5mu", sample, short_key(key));
}

std::string stage_path(std::string_view stage, const std::string& sample, const std::string& key) {
    return fmt::format("stages/{}/{}.{}.h5", stage, sample.empty() ? "features" : sample,
                       short_key(key));
}

std::string joint_path(const std::string& sample, const std::string& key, std::int64_t piece) {
    const std::string part = piece < 0 ? std::string() : fmt::format(".{}", piece);
    return fmt::format("joint/{}.{}{}.h5mu", sample, short_key(key), part);
}

FileEntry finish_file(const fs::path& file, std::string named, std::int64_t rows) {
    io::sync_file(file.string());
    check_hdf5(file);
    FileEntry entry;
    entry.path = std::move(named);
    entry.bytes = io::file_size(file.string());
    entry.rows = rows;
    entry.checksum = io::file_checksum(file.string());
    return entry;
}

void check_size(const fs::path& file, const FileEntry& entry) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    const auto fail = [&](std::string found) {
        throw core::FormatError({.file = file.string(),
                                 .object = {},
                                 .expected = fmt::format("a file of {} bytes", entry.bytes),
                                 .found = std::move(found),
                                 .hint = "restore the file from a copy; `smeta atlas verify` lists "
                                         "everything that is damaged"});
    };
    if (!fs::exists(status)) fail("nothing");
    if (!fs::is_regular_file(status)) fail("something that is not a file");
    const auto bytes = static_cast<std::int64_t>(fs::file_size(file, error));
    if (error) throw core::IoError::from_errno("read", file.string(), error.value());
    if (bytes != entry.bytes) fail(fmt::format("{} bytes", bytes));
}

void check_content(const fs::path& file, const FileEntry& entry) {
    check_size(file, entry);
    check_checksum(file, entry, io::file_checksum(file.string()));
}

void check_sealed(const fs::path& file) {
    const io::Seal seal = io::check_seal(file.string());
    if (seal == io::Seal::Intact) return;
    throw core::FormatError({.file = file.string(),
                             .object = "checksum",
                             .expected = "that of its bytes at its end",
                             .found = seal == io::Seal::Missing ? "none" : "another",
                             .hint = "the bytes changed after they were written: run the command "
                                     "that writes the file again"});
}

void check_checksum(const fs::path& file, const FileEntry& entry, const core::Hash128& found) {
    if (found != entry.checksum)
        throw core::FormatError({.file = file.string(),
                                 .object = "checksum",
                                 .expected = core::to_hex(entry.checksum),
                                 .found = core::to_hex(found),
                                 .hint = "the bytes changed after they were written: restore the "
                                         "file from a copy"});
}

std::vector<std::string> run_names(const fs::path& atlas) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& folder : fs::directory_iterator(atlas / "runs", error)) {
        const std::string name = folder.path().filename().string();
        if (is_valid_name(name) && fs::exists(folder.path() / "inputs.json")) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<NamedFile> files_named_by_runs(const fs::path& atlas) {
    std::vector<NamedFile> files;
    for (const std::string& run : run_names(atlas)) {
        const fs::path file = atlas / "runs" / run / "inputs.json";
        const RunInputs inputs = parse_inputs(io::read_text_file(file.string()), file.string());
        for (const InputSample& sample : inputs.samples)
            for (const FileEntry& entry : sample.files) files.push_back({run, sample.name, entry});
    }
    return files;
}

std::set<std::string> runs_that_name(const fs::path& atlas, const std::string& sample) {
    std::set<std::string> runs;
    for (const auto& named : files_named_by_runs(atlas))
        if (named.sample == sample) runs.insert(named.run);
    return runs;
}

void remove_files(const fs::path& atlas, const SampleEntry& removed, const Manifest& manifest) {
    std::set<std::string> kept;
    for (const auto& named : files_named_by_runs(atlas)) kept.insert(named.entry.path);
    for (const auto& [name, sample] : manifest.samples)
        for (const auto& [stage, entry] : sample.stages)
            for (const FileEntry& file : entry.files) kept.insert(file.path);
    for (const auto& [name, stage] : removed.stages)
        for (const FileEntry& file : stage.files) {
            std::error_code error;
            if (kept.count(file.path) == 0) fs::remove(atlas / file.path, error);
            if (error)
                throw core::IoError::from_errno("remove", (atlas / file.path).string(),
                                                error.value());
        }
}

}  // namespace smeta::atlas::detail
