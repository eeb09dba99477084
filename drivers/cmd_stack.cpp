#include <filesystem>
#include <memory>

#include "smeta/align/stack.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/report/stack_figure.hpp"

#include "stage_options.hpp"

namespace smeta::drivers {

namespace {

struct StackOptions : StageOptions {
    std::string figures;
};

void write_figures(const atlas::ShardedAtlas& atlas, const std::filesystem::path& folder) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) throw core::IoError::from_errno("create", folder.string(), failed.value());
    for (const align::StackDrawing& drawing : align::stack_drawings(atlas)) {
        report::StackOutlines outlines{drawing.block, drawing.unit, {}};
        for (const auto& [sample, z, outline] : drawing.sections)
            outlines.sections.push_back({sample, z, outline});
        const std::filesystem::path out = folder / (drawing.block + ".stack.svg");
        report::write_stack_figure(outlines, out);
        core::log_info("stack: figure {}", out.string());
    }
}

int run_stack(Context& context, const StackOptions& options) {
    if (context.settings.stack.block.empty())
        throw core::ConfigError(
            "smeta stack: which sections belong together? Set stack.block to the level of the "
            "samples that names their block (and stack.z to that of their height), as in --set "
            "stack.block=block with obs = {block = \"B1\", z = 10} in every [[sample]]");
    atlas::ShardedAtlas atlas = open_atlas(context, options);
    if (context.options.dry_run) {
        print_stage_plan(
            context, atlas, options,
            {.reads = atlas::kRaw, .needs = atlas::kQc, .copies = 0, .table_bytes = 600});
        return 0;
    }
    const core::Timings::Scope timing(context.timings, "stack");
    align::run_stack(context.comm, atlas, context.settings.stack, options.samples);
    if (!options.figures.empty())
        context.comm.root_or_throw([&] { write_figures(atlas, options.figures); });
    return 0;
}

}  // namespace

void add_stack(CommandLine& line) {
    auto options = std::make_shared<StackOptions>();
    CLI::App& command =
        line.add("stack", "Lay serial sections of a block on each other, in one frame",
                 [options](Context& context) { return run_stack(context, *options); });
    add_stage_options(command, *options);
    command.add_option("--figures", options->figures,
                       "folder for a figure of every block: its sections in one frame");
}

}  // namespace smeta::drivers
