#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/config.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::atlas {

/// The stage beside `joint` that says what averaging made of the rows that quality control kept.
inline constexpr std::string_view kReassign = "reassign";

/// Canonical text of the keys that begin with `prefix`, for a configuration struct with a
/// `bind(core::ConfigTable&, Config&)`: what a stage's key is hashed from.
template <class Config>
std::string canonical_config(Config config, const std::string& prefix) {
    core::ConfigTable table;
    bind(table, config);
    return table.canonical({prefix});
}

/// The key that a command left in a file of a run, uns[command]["key"]; empty when there is none.
std::string key_in(const io::UnsDict& uns, const std::string& command);
/// Leaves it there, beside what else uns[command] holds.
void set_key(io::UnsDict& uns, const std::string& command, const std::string& key);

/// Warns, once for all, of those samples that came as joint files: they are taken as they are, and
/// `settings`, which somebody has set, do not act on them. Local.
void warn_of_joint_files(const ShardedAtlas& atlas, const std::vector<std::string>& samples,
                         std::string_view settings);

/// Runs `work` for every sample of this rank (sample i belongs to rank i modulo ranks) and logs the
/// line that it returns for each (nothing when empty), in the samples' order whatever the ranks. An
/// error on any rank is thrown on all. Collective; `work` contains no collective.
void for_own_samples(const comm::Comm& comm, const std::vector<std::string>& samples,
                     const std::function<std::string(const std::string&)>& work);

}  // namespace smeta::atlas
