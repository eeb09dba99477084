#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "smeta/align/align.hpp"
#include "smeta/align/warp_image.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/report/alignment_figure.hpp"

#include "stage_options.hpp"

namespace smeta::drivers {

namespace {

struct AlignOptions : StageOptions {
    std::string apply;
    std::string apply_image;
    std::optional<double> image_scale;
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

void check_application(const AlignOptions& options) {
    const bool image = !options.apply_image.empty();
    if (image && !options.apply.empty())
        throw core::ConfigError("smeta align: --apply or --apply-image, not both");
    if ((options.apply.empty() && !image) != options.out.empty())
        throw core::ConfigError(
            "smeta align: --apply POINTS.tsv and --out OUT.tsv, or --apply-image IMAGE and --out "
            "OUT.png, go together");
    if (image != options.image_scale.has_value())
        throw core::ConfigError(
            "smeta align: --apply-image IMAGE and --image-scale PIXELS (per "
            "unit of the imaging coordinates) go together");
    if (!options.out.empty() && options.samples.size() != 1)
        throw core::ConfigError("smeta align --apply: say whose transform with --sample");
}

/// Maps a table or an image by the stored transform. Collective.
void apply_transform(const Context& context, const atlas::ShardedAtlas& atlas,
                     const AlignOptions& options) {
    std::string text;
    context.comm.root_or_throw([&] {
        const std::string& sample = options.samples[0];
        if (options.apply_image.empty()) {
            align::apply_to_table(atlas, sample, options.apply, options.out);
            return;
        }
        const auto placed = align::apply_to_image(atlas, sample, options.apply_image,
                                                  *options.image_scale, options.out);
        text = fmt::format("x0\ty0\timage_scale\twidth\theight\n{}\t{}\t{}\t{}\t{}\n", placed.x0,
                           placed.y0, placed.scale, placed.image.width, placed.image.height);
    });
    print(context, text);
}

int run_align(Context& context, const AlignOptions& options) {
    check_application(options);
    atlas::ShardedAtlas atlas = open_atlas(context, options);
    if (!options.out.empty()) {
        apply_transform(context, atlas, options);
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
    command.add_option("--apply-image", options->apply_image,
                       "PNG, JPEG or TIFF in the imaging frame, to be brought to the spots' frame");
    command.add_option("--image-scale", options->image_scale,
                       "of that image: pixels per unit of the imaging coordinates");
    command.add_option("--out", options->out, "where the mapped table or image (PNG) goes");
    command.add_option("--figures", options->figures,
                       "folder for a figure of every fitted sample: before, after, all poses");
}

}  // namespace smeta::drivers
