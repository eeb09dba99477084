#pragma once

#include <string>
#include <vector>

#include "smeta/atlas/atlas.hpp"

#include "command.hpp"

namespace smeta::drivers {

/// Options of the stages that work sample by sample.
struct StageOptions {
    std::string atlas;
    std::vector<std::string> samples;  ///< empty: all
};

/// Adds --atlas and --sample.
void add_stage_options(CLI::App& command, StageOptions& options);

/// Opens the atlas. Collective.
atlas::ShardedAtlas open_atlas(const Context& context, const StageOptions& options);

/// --dry-run: prints sample, rows, features and rank of every sample, by the files of `stage`.
void print_stage_plan(const Context& context, const atlas::ShardedAtlas& atlas,
                      const StageOptions& options, std::string_view stage);

}  // namespace smeta::drivers
