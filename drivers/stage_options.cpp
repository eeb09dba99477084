#include "stage_options.hpp"

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::drivers {

void add_stage_options(CLI::App& command, StageOptions& options) {
    command.add_option("--atlas", options.atlas, "folder of the atlas")->required();
    command.add_option("--sample", options.samples, "only this sample (repeatable; default: all)");
}

atlas::ShardedAtlas open_atlas(const Context& context, const StageOptions& options) {
    return atlas::ShardedAtlas::open(context.comm, options.atlas);
}

void print_stage_plan(const Context& context, const atlas::ShardedAtlas& atlas,
                      const StageOptions& options, std::string_view stage) {
    std::string text = "sample\tmodality\trows\tfeatures\trank\n";
    int turn = 0;
    for (const std::string& name : atlas.samples(options.samples)) {
        const int rank = turn++ % context.comm.size();
        const atlas::StageEntry* entry = atlas.sample(name).find(stage);
        if (entry == nullptr) entry = atlas.sample(name).find(atlas::kJoint);
        if (entry == nullptr)
            throw core::ConfigError(
                fmt::format("sample '{}' has no joint file; run smeta reassign first", name));
        for (const auto& [modality, shape] : entry->modalities)
            text += fmt::format("{}\t{}\t{}\t{}\t{}\n", name, modality, shape.rows, shape.features,
                                rank);
    }
    print(context, text);
}

}  // namespace smeta::drivers
