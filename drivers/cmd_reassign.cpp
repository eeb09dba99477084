#include <memory>

#include "smeta/align/reassign.hpp"

#include "stage_options.hpp"

namespace smeta::drivers {

namespace {

int run_reassign(Context& context, const StageOptions& options) {
    atlas::ShardedAtlas atlas = open_atlas(context, options);
    if (context.options.dry_run) {
        print_stage_plan(context, atlas, options,
                         {.reads = atlas::kRaw,
                          .needs = atlas::kQc,
                          .copies = 2,
                          .table_bytes = 500,
                          .result_bytes = 1400,
                          .written = 1,
                          .bytes_per_name = 200,
                          .shared_above = atlas::kJointFileRows});
        return 0;
    }
    const core::Timings::Scope timing(context.timings, "reassign");
    align::run_reassign(context.comm, atlas, context.settings.reassign, options.samples);
    return 0;
}

}  // namespace

void add_reassign(CommandLine& line) {
    auto options = std::make_shared<StageOptions>();
    CLI::App& command =
        line.add("reassign", "Bring imaging pixels to the spots and write the joint files",
                 [options](Context& context) { return run_reassign(context, *options); });
    add_stage_options(command, *options);
}

}  // namespace smeta::drivers
