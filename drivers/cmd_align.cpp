#include <filesystem>
#include <memory>

#include "smeta/align/align.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/report/alignment_figure.hpp"

#include "stage_options.hpp"

namespace smeta::drivers {

namespace {

struct AlignOptions : StageOptions {
    std::string apply;
    std::string out;
    std::string figures;
};

void write_figures(const atlas::ShardedAtlas& atlas, const AlignOptions& options) {
    const std::filesystem::path folder = options.figures;
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) throw core::IoError::from_errno("create", folder.string(), failed.value());
    for (const std::string& sample : atlas.samples(options.samples)) {
        if (atlas.key(sample, atlas::kAlign).empty()) continue;
        const std::filesystem::path out = folder / (sample + ".align.svg");
        if (report::write_alignment_figure(atlas.stage_file(sample, atlas::kAlign), sample, out))
            core::log_info("align: figure {}", out.string());
    }
}

int run_align(Context& context, const AlignOptions& options) {
    atlas::ShardedAtlas atlas = open_atlas(context, options);
    if (options.apply.empty() != options.out.empty())
        throw core::ConfigError("smeta align: --apply POINTS.tsv and --out OUT.tsv go together");
    if (!options.apply.empty()) {
        if (options.samples.size() != 1)
            throw core::ConfigError("smeta align --apply: say whose transform with --sample");
        context.comm.root_or_throw(
            [&] { align::apply_to_table(atlas, options.samples[0], options.apply, options.out); });
        return 0;
    }
    if (context.options.dry_run) {
        print_stage_plan(context, atlas, options,
                         {.reads = atlas::kRaw, .copies = 0, .table_bytes = 300});
        return 0;
    }
    const core::Timings::Scope timing(context.timings, "align");
    align::run_align(context.comm, atlas, context.settings.align, options.samples);
    if (!options.figures.empty())
        context.comm.root_or_throw([&] { write_figures(atlas, options); });
    return 0;
}

}  // namespace

void add_align(CommandLine& line) {
    auto options = std::make_shared<AlignOptions>();
    CLI::App& command =
        line.add("align", "Transform of imaging coordinates to the spots' frame, sample by sample",
                 [options](Context& context) { return run_align(context, *options); });
    add_stage_options(command, *options);
    command.add_option("--apply", options->apply,
                       "table with columns x and y in the imaging frame, to be mapped");
    command.add_option("--out", options->out, "where the mapped table goes");
    command.add_option("--figures", options->figures,
                       "folder for a figure of every fitted sample: before, after, all poses");
}

}  // namespace smeta::drivers
