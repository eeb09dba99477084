#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "smeta/atlas/export.hpp"
#include "smeta/atlas/writer_lock.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/model/embed.hpp"

#include "command.hpp"

namespace smeta::drivers {

namespace {

struct ExportOptions {
    std::string atlas;
    std::string run;
    std::string out;
    bool reconstruction = false;
    bool force = false;
};

enum class Format { H5ad, H5mu };

Format format_of(const std::string& out) {
    const std::string extension = std::filesystem::path(out).extension().string();
    if (extension == ".h5ad") return Format::H5ad;
    if (extension == ".h5mu") return Format::H5mu;
    throw core::ConfigError(fmt::format("--out {}: the name must end in .h5ad or .h5mu", out));
}

std::string plan_text(const atlas::ExportPlan& plan) {
    std::string text = fmt::format("samples\t{}\nrows\t{}\n", plan.samples, plan.rows);
    for (const auto& [name, count] : plan.features)
        text += fmt::format("features_{}\t{}\n", name, count);
    // A value and its column, held twice while modalities are joined.
    constexpr std::int64_t kBytes = 16;
    text +=
        fmt::format("memory\tabout {} MiB on rank 0\n", (plan.stored_values * kBytes >> 20U) + 1);
    return text;
}

/// On rank 0; what to print.
std::string export_on_root(const ExportOptions& options, bool dry_run) {
    const Format format = format_of(options.out);
    if (!options.force && std::filesystem::exists(options.out))
        throw core::ConfigError(fmt::format("{} exists already: --force replaces it", options.out));
    const auto opened = atlas::ShardedAtlas::open(options.atlas);
    std::optional<atlas::Run> run;
    if (!options.run.empty()) run = atlas::Run::open(opened, options.run);
    const atlas::Run* chosen = run ? &*run : nullptr;
    if (dry_run) return plan_text(atlas::plan_export(opened, chosen));
    const auto layers =
        options.reconstruction ? atlas::ExportLayers::Reconstruction : atlas::ExportLayers::None;
    std::int64_t rows = 0;
    const auto writing = atlas::writer_lock_for(options.atlas, options.out);
    if (format == Format::H5ad) {
        const io::AnnData data = atlas::export_joint(opened, chosen, layers);
        rows = data.obs.rows();
        io::replace_file(options.out, [&](const std::string& file) { io::write_h5ad(file, data); });
    } else {
        const io::MuData data = atlas::export_mudata(opened, chosen, layers);
        rows = data.obs.rows();
        io::replace_file(options.out, [&](const std::string& file) { io::write_h5mu(file, data); });
    }
    return fmt::format("{}\t{} rows\n", options.out, rows);
}

int run_export(Context& context, const ExportOptions& options) {
    if (!options.run.empty() && !context.options.dry_run) {
        const auto atlas = atlas::ShardedAtlas::open(context.comm, options.atlas);
        const auto run = atlas::Run::open(context.comm, atlas, options.run);
        const auto samples = run.samples();
        // A run that was never embedded is exported without results; one that was, with those of
        // its present model.
        const auto has_result = [&](const auto& sample) { return run.has_result(sample); };
        std::int32_t any = std::any_of(samples.begin(), samples.end(), has_result) ? 1 : 0;
        context.comm.broadcast(any);
        if (any != 0) model::require_results(context.comm, run);
    }
    std::string text;
    context.comm.root_or_throw([&] { text = export_on_root(options, context.options.dry_run); });
    print(context, text);
    return 0;
}

}  // namespace

void add_export(CommandLine& line) {
    auto options = std::make_shared<ExportOptions>();
    CLI::App& app = line.add("export", "one file for Python: all joint rows, with a run's results",
                             [options](Context& context) { return run_export(context, *options); });
    app.add_option("--atlas", options->atlas, "folder of the atlas")->required();
    app.add_option("--run", options->run, "only this run's samples and features, with its results");
    app.add_option("--out", options->out, "X.h5ad (SpatialMETA's joint layout) or X.h5mu (MuData)")
        ->required();
    app.add_flag("--reconstruction", options->reconstruction,
                 "also layers['reconstruction'] (after smeta embed --reconstruction)");
    app.add_flag("--force", options->force, "replace a file that exists");
}

}  // namespace smeta::drivers
