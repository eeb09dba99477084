#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "smeta/atlas/run.hpp"

#include "command.hpp"

namespace smeta::drivers {

/// Options of every command that works on a run.
struct RunOptions {
    std::string atlas;
    std::string run = "main";
};
void add_run_options(CLI::App& app, RunOptions& options);

/// Opens the atlas and the run that the options name. Collective.
atlas::Run open_run(const Context& context, const RunOptions& options);

/// The settings that the run was trained with (its config.toml). Local; ConfigError when damaged.
std::unique_ptr<Settings> settings_of(const atlas::Run& run);

/// How many processors the ranks may run on, all together: fewer than ranks times threads where
/// they must take turns. Collective.
std::size_t distinct_processors(const comm::Comm& comm);

/// One line in the run's history.jsonl: command, version, ranks, threads, processors, peak memory
/// of each rank, seconds min/avg/max over ranks by region. `details`: further fields, a JSON
/// object. Collective.
void record_history(const Context& context, const atlas::Run& run, const std::string& command,
                    const nlohmann::ordered_json& details = {});

/// What a run that does not exist yet is made of.
struct NewRun {
    std::vector<std::string> samples = {};  ///< empty: all of the atlas
    std::string from = {};                  ///< run whose model it starts from; empty: none
};
/// Creates the run from the atlas of the day if there is none and trains it; the exit code (0 or
/// 75). ConfigError when there is one that was made of something else. Collective.
int train_run(Context& context, const atlas::ShardedAtlas& atlas, const std::string& name,
              const NewRun& made_of = {});
/// Embeds all rows of the run; the exit code. Collective.
int embed_run(Context& context, const atlas::Run& run, bool reconstruction);
/// Neighbours and clusters, unless they are up to date; the exit code. Collective.
int cluster_run(Context& context, const atlas::Run& run);
/// Writes the run's report; the exit code. Collective.
int report_run(Context& context, const atlas::ShardedAtlas& atlas, const atlas::Run& run);

}  // namespace smeta::drivers
