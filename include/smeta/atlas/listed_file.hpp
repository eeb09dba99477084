#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/core/hash.hpp"

namespace smeta::atlas {

/// In the folder of a run and of a mapped query: the checksums of its text files, one a line as
/// xxh128sum writes them, "32 hex digits, two blanks, path in the folder". Lines are only appended.
inline constexpr const char* kChecksumList = "checksums.txt";

/// Creates or replaces folder/path (its folder is there) and lists its checksum. The line comes
/// before the file, so that a file is what one of its last two lines says at any moment. IoError.
/// Local.
void write_listed(const std::filesystem::path& folder, const std::string& path,
                  std::string_view content);

struct ListedFile {
    std::string path;  ///< in the folder
    /// Of the last line, and of the one before: its writer may have died after the line.
    std::vector<core::Hash128> accepted;
};
/// Ascending by path; nothing where there is no list. Lines that are not whole are passed over.
/// IoError. Local.
std::vector<ListedFile> listed_files(const std::filesystem::path& folder);

}  // namespace smeta::atlas
