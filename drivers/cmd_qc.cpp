#include <memory>

#include "smeta/preprocess/qc.hpp"

#include "stage_options.hpp"

namespace smeta::drivers {

namespace {

int run_qc(Context& context, const StageOptions& options) {
    atlas::ShardedAtlas atlas = open_atlas(context, options);
    if (context.options.dry_run) {
        print_stage_plan(
            context, atlas, options,
            {.reads = atlas::kRaw, .copies = 1.25, .table_bytes = 400, .bytes_per_name = 180});
        return 0;
    }
    const core::Timings::Scope timing(context.timings, "qc");
    preprocess::run_qc(context.comm, atlas, context.settings.qc, options.samples);
    return 0;
}

}  // namespace

void add_qc(CommandLine& line) {
    auto options = std::make_shared<StageOptions>();
    CLI::App& command =
        line.add("qc", "Quality control: what is kept of every sample, and why the rest is not",
                 [options](Context& context) { return run_qc(context, *options); });
    add_stage_options(command, *options);
}

}  // namespace smeta::drivers
