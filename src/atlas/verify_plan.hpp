#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "smeta/atlas/maintenance.hpp"
#include "smeta/atlas/manifest.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"

/// What verify looks at. Private to the module.
namespace smeta::atlas::detail {

/// Annotated and Stage: the checksum is that of the entry. Sealed: it stands in the file itself.
/// Checkpoint: likewise, and it is no HDF5. Listed: text whose checksum stands in a list beside it.
/// Unchecked: only the structure can be read.
enum class Kind { Annotated, Stage, Sealed, Checkpoint, Listed, Unchecked };

/// Something to check: a file that the manifest or a run names, or a file of a run without
/// checksum.
struct Task {
    FileEntry entry;
    Kind kind = Kind::Stage;
    std::vector<core::Hash128> accepted = {};  ///< of a listed file
    bool hashed = false;  ///< has a checksum in its entry, and the entry's size
};

/// What is known before files are read. The same on every rank.
struct Plan {
    std::vector<Task> tasks;  ///< ascending by path
    std::set<std::string> named;
    std::vector<Problem> problems;
    /// False when the manifest or an inputs.json cannot be read: nothing may then be called
    /// unnamed.
    bool complete = true;
};

bool has_entry_checksum(const Task& task);

/// An error's message on one line.
std::string short_text(const core::Error& error);

/// Reads the manifest, every inputs.json and the lists of text files; what of these cannot be read
/// is a problem of the plan. Local.
Plan plan_verification(const std::filesystem::path& atlas);

}  // namespace smeta::atlas::detail
