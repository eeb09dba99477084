#include <memory>

#include "smeta/preprocess/select.hpp"

#include "stage_options.hpp"

namespace smeta::drivers {

namespace {

int run_select(Context& context, const StageOptions& options) {
    atlas::ShardedAtlas atlas = open_atlas(context, options);
    if (context.options.dry_run) {
        print_stage_plan(context, atlas, options,
                         {.reads = atlas::kJoint, .copies = 1, .bytes_per_name = 16});
        return 0;
    }
    const core::Timings::Scope timing(context.timings, "select");
    const auto& source = context.settings.ingest.source;
    preprocess::run_select(context.comm, atlas, context.settings.select, options.samples,
                           {source.mz_ppm, source.max_bin_ppm});
    return 0;
}

}  // namespace

void add_select(CommandLine& line) {
    auto options = std::make_shared<StageOptions>();
    CLI::App& command =
        line.add("select", "Select spatially variable genes and metabolites over all samples",
                 [options](Context& context) { return run_select(context, *options); });
    add_stage_options(command, *options);
}

}  // namespace smeta::drivers
