#pragma once

#include <array>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/manifest.hpp"

/// Where things are in an atlas, and the durable steps of a commit. Private to the module.
namespace smeta::atlas::detail {

inline constexpr std::array kFolders = {"raw", "stages", "joint", "runs"};
inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kRegistryFile = "registry.h5";
inline constexpr const char* kLockFile = "atlas.lock";
inline constexpr const char* kRunLockFile = "run.lock";
/// Bytes of the lock file: the manifest commit (exclusive), writers (shared) against repair
/// (exclusive).
inline constexpr std::int64_t kManifestByte = 0;
inline constexpr std::int64_t kWritersByte = 1;

std::string raw_path(const std::string& sample);
/// Of raw data that take the place of others: those stay as they are until the commit.
std::string raw_path(const std::string& sample, const std::string& key);
std::string stage_path(std::string_view stage, const std::string& sample, const std::string& key);
/// `piece` < 0: the sample has a single file.
std::string joint_path(const std::string& sample, const std::string& key, std::int64_t piece);

/// After the writer has closed `file`: syncs it to the device, opens it again, reads every dataset
/// and computes size and checksum. `named`: the path it will have. IoError or FormatError when the
/// file is not whole.
FileEntry finish_file(const std::filesystem::path& file, std::string named, std::int64_t rows);

/// FormatError unless `file` is there with the entry's size.
void check_size(const std::filesystem::path& file, const FileEntry& entry);
/// FormatError unless `found` is the entry's checksum.
void check_checksum(const std::filesystem::path& file, const FileEntry& entry,
                    const core::Hash128& found);
/// As check_size, then compares the checksum.
void check_content(const std::filesystem::path& file, const FileEntry& entry);

/// FormatError unless the file ends with the checksum of its bytes (io/sealed_file.hpp).
void check_sealed(const std::filesystem::path& file);

/// Reads every dataset of an HDF5 file: whatever HDF5 or its filters find damaged throws; sparse
/// matrices must have monotone indptr, column indices in range and finite values. FormatError.
/// Local.
void check_hdf5(const std::filesystem::path& file);

/// Files named by the inputs.json of any run, relative to the atlas, with the first run that names
/// each. A damaged inputs.json throws FormatError.
struct NamedFile {
    std::string run;
    std::string sample;
    FileEntry entry;
};
std::vector<NamedFile> files_named_by_runs(const std::filesystem::path& atlas);
std::set<std::string> runs_that_name(const std::filesystem::path& atlas, const std::string& sample);
/// Deletes the files of a sample that the manifest names no more, but for those that `manifest` or
/// a run names. A crash on the way leaves unnamed files, which verify reports and repair removes.
void remove_files(const std::filesystem::path& atlas, const SampleEntry& removed,
                  const Manifest& manifest);
/// Folders of runs/ with an inputs.json, bytewise.
std::vector<std::string> run_names(const std::filesystem::path& atlas);

}  // namespace smeta::atlas::detail
