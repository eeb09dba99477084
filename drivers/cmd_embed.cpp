#include <memory>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/model/embed.hpp"

#include "command.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {

namespace {

int run_embed(Context& context, const RunOptions& options, bool reconstruction) {
    const atlas::Run run = open_run(context, options);
    if (!context.options.dry_run) return embed_run(context, run, reconstruction);
    if (!std::filesystem::exists(run.model_file()))
        throw core::ConfigError(
            fmt::format("run '{}' has no model yet: run smeta train first", run.name()));
    std::string text = "sample\trows\n";
    for (const auto& sample : run.inputs().samples)
        text += fmt::format("{}\t{}\n", sample.name, sample.rows());
    print(context, text);
    return 0;
}

}  // namespace

int embed_run(Context& context, const atlas::Run& run, bool reconstruction) {
    run.check_inputs(context.comm, atlas::InputCheck::Sizes);
    const auto written =
        model::embed(context.comm, run,
                     reconstruction ? model::Reconstruction::Write : model::Reconstruction::Skip,
                     context.timings);
    if (written == 0)
        core::log_info("embed of run '{}' is up to date", run.name());
    else
        record_history(context, run, "embed");
    return 0;
}

void add_embed(CommandLine& line) {
    auto options = std::make_shared<RunOptions>();
    auto reconstruction = std::make_shared<bool>(false);
    CLI::App& app = line.add(
        "embed", "latent and contributions of a run's spots, and their reconstruction on request",
        [options, reconstruction](Context& context) {
            return run_embed(context, *options, *reconstruction);
        });
    add_run_options(app, *options);
    app.add_flag("--reconstruction", *reconstruction,
                 "also write reconstruction/SAMPLE.h5ad: the decoded mean of every feature");
}

}  // namespace smeta::drivers
