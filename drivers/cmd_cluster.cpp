#include <memory>

#include <fmt/format.h>

#include "smeta/analysis/cluster.hpp"
#include "smeta/analysis/subcluster.hpp"
#include "smeta/analysis/umap.hpp"
#include "smeta/core/log.hpp"
#include "smeta/model/embed.hpp"

#include "command.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {

namespace {

std::string plan(const atlas::Run& run, const analysis::ClusterConfig& config) {
    return fmt::format("run\t{}\nspots\t{}\nneighbors\t{}\nresolution\t{}\n", run.name(),
                       run.inputs().rows(), config.neighbors_for(run.samples().size()),
                       config.resolution);
}

/// Logs and records a stage that did something.
void finish(Context& context, const atlas::Run& run, const std::string& command,
            analysis::StageResult result) {
    if (result == analysis::StageResult::Current)
        core::log_info("{} of run '{}' is up to date", command, run.name());
    else
        record_history(context, run, command);
}

int run_neighbors(Context& context, const RunOptions& options) {
    const atlas::Run run = open_run(context, options);
    if (context.options.dry_run) {
        print(context, plan(run, context.settings.cluster));
        return 0;
    }
    model::require_results(context.comm, run);
    finish(context, run, "neighbors",
           analysis::run_neighbors(context.comm, run, context.settings.cluster));
    return 0;
}

struct ClusterCommand {
    RunOptions run;
    analysis::SubclusterRequest sub;
};

int divide_cluster(Context& context, const atlas::Run& run,
                   const analysis::SubclusterRequest& request) {
    model::require_results(context.comm, run);
    const auto count =
        analysis::run_subcluster(context.comm, run, context.settings.cluster, request);
    core::log_info("cluster {} of run '{}' divided into {} at resolution {}: obs column '{}'",
                   request.within, run.name(), count, context.settings.cluster.resolution,
                   request.column);
    record_history(context, run, "cluster");
    return 0;
}

int run_cluster(Context& context, const ClusterCommand& command) {
    const atlas::Run run = open_run(context, command.run);
    if (context.options.dry_run) {
        print(context, plan(run, context.settings.cluster));
        return 0;
    }
    if (command.sub.within.empty()) return cluster_run(context, run);
    auto request = command.sub;
    request.seed = context.settings.seed;
    return divide_cluster(context, run, request);
}

int run_umap(Context& context, const RunOptions& options) {
    const atlas::Run run = open_run(context, options);
    if (context.options.dry_run) {
        print(context, plan(run, context.settings.cluster) +
                           fmt::format("epochs\t{}\n",
                                       context.settings.umap.epochs_for(run.inputs().rows())));
        return 0;
    }
    model::require_results(context.comm, run);
    finish(context, run, "umap",
           analysis::run_umap(context.comm, run, context.settings.cluster, context.settings.umap,
                              context.settings.seed));
    return 0;
}

}  // namespace

int cluster_run(Context& context, const atlas::Run& run) {
    model::require_results(context.comm, run);
    finish(context, run, "neighbors",
           analysis::run_neighbors(context.comm, run, context.settings.cluster));
    finish(
        context, run, "cluster",
        analysis::run_cluster(context.comm, run, context.settings.cluster, context.settings.seed));
    return 0;
}

void add_neighbors(CommandLine& line) {
    auto options = std::make_shared<RunOptions>();
    add_run_options(
        line.add("neighbors", "nearest neighbours of every spot in the latent",
                 [options](Context& context) { return run_neighbors(context, *options); }),
        *options);
}

void add_cluster(CommandLine& line) {
    auto command = std::make_shared<ClusterCommand>();
    auto& app = line.add("cluster", "Leiden clusters of the neighbour graph",
                         [command](Context& context) { return run_cluster(context, *command); });
    add_run_options(app, command->run);
    app.add_option("--within", command->sub.within,
                   "divide this cluster alone, at cluster.resolution");
    app.add_option("--column", command->sub.column, "obs column of the clusters so divided")
        ->capture_default_str();
}

void add_umap(CommandLine& line) {
    auto options = std::make_shared<RunOptions>();
    add_run_options(line.add("umap", "layout of the neighbour graph in two dimensions",
                             [options](Context& context) { return run_umap(context, *options); }),
                    *options);
}

}  // namespace smeta::drivers
