#include "source_key.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "smeta/atlas/ingest.hpp"
#include "smeta/atlas/manifest.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/st_table.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

constexpr int kVersion = 1;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

/// Space Ranger leaves large files beside the matrix that no reader opens.
bool is_used(const fs::path& file) {
    const std::string name = file.filename().string();
    const std::string extension = lower(file.extension().string());
    return extension != ".bam" && extension != ".bai" && extension != ".cloupe" &&
           extension != ".html" && extension != ".btf" && extension != ".tif" &&
           extension != ".tiff" && name != "molecule_info.h5" && !name.starts_with("raw_") &&
           !io::is_temporary_name(name);
}

void add_folder(const fs::path& folder, std::vector<fs::path>& files) {
    for (const auto& entry :
         fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied))
        if (entry.is_regular_file() && is_used(entry.path())) files.push_back(entry.path());
}

void add_if_there(const fs::path& path, std::vector<fs::path>& files) {
    if (fs::is_regular_file(path)) files.push_back(path);
    if (fs::is_directory(path)) add_folder(path, files);
}

/// The files that a reader may open for `path`.
std::vector<fs::path> files_of(const fs::path& path) {
    std::vector<fs::path> files;
    if (!fs::exists(path)) throw core::IoError::from_errno("open", path.string(), ENOENT);
    if (fs::is_directory(path)) {
        add_folder(path, files);
        // A bare MTX folder has its positions beside it, a Space Ranger folder inside.
        if (!fs::exists(path / "spatial")) add_if_there(path.parent_path() / "spatial", files);
    } else {
        files.push_back(path);
        const fs::path folder = path.parent_path();
        const std::string stem = io::table_stem(path.string());
        add_if_there(folder / "spatial", files);
        for (const auto& beside : {folder / (stem + "_selection.tsv"),
                                   folder / ".." / "spots" / (stem + "_selection.tsv"),
                                   folder / ("alignment_table_" + stem + ".tsv")}) {
            add_if_there(beside, files);
            add_if_there(beside.string() + ".gz", files);
        }
        if (lower(path.extension().string()) == ".imzml")
            for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder))
                if (entry.path().stem() == path.stem() &&
                    lower(entry.path().extension().string()) == ".ibd")
                    files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// Checksums of the files with their names relative to `named`: the same wherever the source lies
/// and however its path is written.
std::string content(const std::string& named) {
    if (named.empty()) return "";
    fs::path path = fs::absolute(named).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();  // "outs/"
    std::string text;
    for (const auto& file : files_of(path))
        text += fmt::format("{} {}\n", file.lexically_relative(path.parent_path()).string(),
                            core::to_hex(io::file_checksum(file.string())));
    return text;
}

std::int64_t bytes_of(const std::string& path) {
    std::int64_t bytes = 0;
    if (!path.empty())
        for (const auto& file : files_of(path)) bytes += io::file_size(file.string());
    return bytes;
}

}  // namespace

std::int64_t source_bytes(const SampleSource& source) {
    std::int64_t bytes = bytes_of(source.st) + bytes_of(source.joint) + bytes_of(source.labels);
    if (!source.image.empty()) bytes += io::file_size(source.image);
    for (const auto& path : source.sm) bytes += bytes_of(path);
    for (const auto& [name, path] : source.others) bytes += bytes_of(path);
    return bytes;
}

std::string source_key(const SampleSource& source, const IngestConfig& config) {
    IngestConfig copy = config;
    core::ConfigTable table;
    bind(table, copy);
    std::vector<std::string> inputs{source.name,           source.cohort,
                                    source.sm_columns,     content(source.st),
                                    content(source.joint), content(source.labels)};
    for (const auto& path : source.sm) inputs.push_back(content(path));
    for (const auto& [name, path] : source.others)
        inputs.push_back(fmt::format("{}: {}", name, content(path)));
    for (const auto& [name, level] : source.obs)
        inputs.push_back(fmt::format("{}={}", name, level));
    if (source.transform)
        inputs.push_back(fmt::format("{} {}", fmt::join(source.transform->a, " "),
                                     fmt::join(source.transform->t, " ")));
    if (!source.image.empty())
        inputs.push_back(fmt::format(
            "image {} {} {}", core::to_hex(io::file_checksum(source.image)),
            source.image_scale.value_or(0), source.image_microns_per_pixel.value_or(0)));
    return stage_key("raw", kVersion, table.canonical({"ingest"}), inputs);
}

}  // namespace smeta::atlas
