#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/core/hash.hpp"

/// Files that appear whole or not at all: written under a temporary name, synced, renamed, folder
/// synced. Everything here is local and throws IoError with path and reason.
namespace smeta::io {

/// "PATH.tmp.<16 hex digits>", a name that no other process uses. Files of this form are leftovers
/// of writers that died.
std::string temporary_name(const std::string& path);
bool is_temporary_name(std::string_view name);

/// fsync of a file, of a folder.
void sync_file(const std::string& path);
void sync_folder(const std::string& path);

/// Syncs `temporary`, renames it to `path` (replacing what is there) and syncs the folder.
void commit_file(const std::string& temporary, const std::string& path);

/// Lets `write` create a file under a temporary name, then commits it; removes it when `write`
/// throws.
void replace_file(const std::string& path, const std::function<void(const std::string&)>& write);

/// Replaces `path` by these bytes, checking what was written by reading it back.
void write_atomically(const std::string& path, std::string_view content);

std::string read_text_file(const std::string& path);

/// Bytes of a file.
std::int64_t file_size(const std::string& path);

/// Blocks of a file's checksum: several threads or ranks may share one file.
inline constexpr std::int64_t kChecksumBlock = std::int64_t{64} << 20U;
std::int64_t checksum_blocks(std::int64_t bytes);
/// XXH3-128 of block `block`.
core::Hash128 block_checksum(const std::string& path, std::int64_t block);
/// XXH3-128 of the list of block checksums.
core::Hash128 combine_checksums(const std::vector<core::Hash128>& blocks);
/// combine_checksums of all blocks.
core::Hash128 file_checksum(const std::string& path);

}  // namespace smeta::io
