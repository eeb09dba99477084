#include "run_commands.hpp"

#include <cstddef>
#include <ctime>
#include <set>
#include <span>
#include <string>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "smeta/core/memory.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/core/version.hpp"

namespace smeta::drivers {

void add_run_options(CLI::App& app, RunOptions& options) {
    app.add_option("--atlas", options.atlas, "folder of the atlas")->required();
    app.add_option("--run", options.run, "name of the run")->capture_default_str();
}

atlas::Run open_run(const Context& context, const RunOptions& options) {
    const auto atlas = atlas::ShardedAtlas::open(context.comm, options.atlas);
    return atlas::Run::open(context.comm, atlas, options.run);
}

std::unique_ptr<Settings> settings_of(const atlas::Run& run) {
    auto settings = std::make_unique<Settings>();
    settings->table.parse_toml(run.config_toml(), run.config_file().string());
    return settings;
}

std::size_t distinct_processors(const comm::Comm& comm) {
    const auto machines = comm.allgather(core::machine_id());
    const auto mine = core::allowed_processors();
    const auto allowed = comm.allgather(std::span<const std::int32_t>(mine));
    std::set<std::pair<std::string, std::int32_t>> distinct;
    for (std::size_t rank = 0; rank < machines.size(); ++rank)
        for (const std::int32_t processor : allowed[rank])
            distinct.emplace(machines[rank], processor);
    return distinct.size();
}

void record_history(const Context& context, const atlas::Run& run, const std::string& command,
                    const nlohmann::ordered_json& details) {
    nlohmann::ordered_json line;
    line["command"] = command;
    line["command_line"] = context.command_line;
    line["version"] = core::kVersion;
    line["revision"] = core::kGitRevision;
    line["ranks"] = context.comm.size();
    line["threads"] = core::threads();
    line["processors"] = distinct_processors(context.comm);
    line["finished"] = fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::localtime(std::time(nullptr)));
    line["seconds"] = context.seconds();
    line["peak_memory_bytes"] = context.comm.allgather(core::peak_memory());
    for (const auto& [region, spread] : comm::summarise(context.comm, context.timings.seconds()))
        line["timings"][region] = {
            {"min", spread.min}, {"average", spread.average}, {"max", spread.max}};
    for (const auto& [key, value] : details.items()) line[key] = value;
    context.comm.root_or_throw([&] { run.append_history(line.dump()); });
}

}  // namespace smeta::drivers
