#include <memory>
#include <string>

#include <fmt/format.h>

#include "smeta/analysis/network_stage.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/core/log.hpp"
#include "smeta/model/embed.hpp"
#include "smeta/report/network_figures.hpp"

#include "command.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {

namespace {

struct NetworkOptions {
    RunOptions run;
    analysis::NetworkRequest request;
};

report::ClusterMatrix matrix_of(const analysis::Groups& clusters,
                                const analysis::ClusterTable<double>& values) {
    return {clusters.names, values.values};
}

void write_figures(const atlas::Run& run, const analysis::RunNetwork& network) {
    const auto& first = network.samples.front();
    const std::string where = first.sample == analysis::kAllSamples
                                  ? fmt::format("{} samples", network.samples.size() - 1)
                                  : first.sample;
    atlas::write_figure(run, "network_enrichment",
                        report::enrichment_svg("network_enrichment",
                                               fmt::format("Neighbourhood enrichment, {}", where),
                                               matrix_of(network.clusters, first.enrichment.z)));
    atlas::write_figure(
        run, "network_distance",
        report::network_svg("network_distance", fmt::format("Clusters by distance, {}", where),
                            matrix_of(network.clusters, analysis::proximity(first.distance)),
                            first.spots));
    report::ContributionBars bars;
    bars.clusters = network.clusters.names;
    for (const auto& entry : network.contributions)
        if (entry.sample == first.sample)
            bars.boxes.push_back(
                {entry.cluster, entry.modality, entry.lower, entry.median, entry.upper});
    if (!bars.boxes.empty())
        atlas::write_figure(run, "network_contribution",
                            report::contribution_svg(
                                "network_contribution",
                                fmt::format("Modality contribution by cluster, {}", where), bars));
}

int run_network(Context& context, const NetworkOptions& options) {
    const atlas::Run run = open_run(context, options.run);
    analysis::NetworkRequest request = options.request;
    request.seed = context.settings.seed;
    if (context.options.dry_run) {
        print(context, fmt::format("run\t{}\nspots\t{}\npermutations\t{}\nradii\t{}\n", run.name(),
                                   run.inputs().rows(), request.permutations, request.radii));
        return 0;
    }
    model::require_results(context.comm, run);
    const auto network = [&] {
        const core::Timings::Scope timing(context.timings, "network");
        return analysis::run_network(context.comm, run, request);
    }();
    context.comm.root_or_throw([&] {
        atlas::write_table(run, "network_composition", analysis::composition_tsv(network));
        atlas::write_table(run, "network_enrichment", analysis::enrichment_tsv(network));
        atlas::write_table(run, "network_co_occurrence", analysis::co_occurrence_tsv(network));
        atlas::write_table(run, "network_distance", analysis::distance_tsv(network));
        atlas::write_table(run, "network_contribution", analysis::contribution_tsv(network));
        write_figures(run, network);
    });
    core::log_info("network of {} groups of '{}', {} permutations", network.clusters.count(),
                   request.key, request.permutations);
    record_history(context, run, "network");
    return 0;
}

}  // namespace

void add_network(CommandLine& line) {
    auto options = std::make_shared<NetworkOptions>();
    auto& app = line.add("network",
                         "which clusters are neighbours: enrichment, co-occurrence, distances, "
                         "modality contribution",
                         [options](Context& context) { return run_network(context, *options); });
    add_run_options(app, options->run);
    app.add_option("--groupby", options->request.key, "obs column of the groups")
        ->capture_default_str();
    app.add_option("--permutations", options->request.permutations,
                   "shuffles of the labels for the enrichment")
        ->check(CLI::Range(std::int64_t{2}, std::int64_t{1000000}))
        ->capture_default_str();
    app.add_option("--radii", options->request.radii,
                   "co-occurrence within 1, 2, ... this many spot spacings")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1000}))
        ->capture_default_str();
}

}  // namespace smeta::drivers
