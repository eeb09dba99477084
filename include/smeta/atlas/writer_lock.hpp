#pragma once

#include <filesystem>
#include <optional>

#include "smeta/atlas/lock.hpp"

namespace smeta::atlas {

/// Held while files are written below the atlas: `verify --repair`, which removes temporary files,
/// refuses meanwhile, and whoever begins to write while it works waits (IoError after a minute).
/// Any number of writers hold it at a time. Local.
FileLock writer_lock(const std::filesystem::path& atlas);
/// The same for one file; nothing when it does not lie below the atlas.
std::optional<FileLock> writer_lock_for(const std::filesystem::path& atlas,
                                        const std::filesystem::path& file);

}  // namespace smeta::atlas
