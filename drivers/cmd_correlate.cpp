#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <tuple>

#include <fmt/format.h>

#include "smeta/analysis/correlate.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/core/log.hpp"
#include "smeta/report/dot_plot.hpp"

#include "analysis_commands.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {
namespace {

constexpr const char* kName = "correlation";
constexpr const char* kDenoisedName = "correlation_denoised";

struct CorrelateCommand {
    RunOptions run;
    std::vector<std::string> samples;
    std::string key = "cluster";
    std::vector<std::string> ignore = {"undetermined"};
    bool measured = false;
    bool denoised = false;
    std::int64_t top = 10;
    std::int64_t shown = 40;
    std::string name;  ///< empty: kName, or kDenoisedName
};

/// The strongest pairs over all spots, beside their correlation in each group.
report::DotPlot figure_of(const analysis::Correlations& found, const analysis::RunValues& values,
                          const analysis::Groups& groups, const std::string& name,
                          std::int64_t shown) {
    report::DotPlot plot;
    plot.id = name;
    plot.title = values.source() == analysis::ValueSource::Denoised
                     ? "Genes and metabolites that go together, denoised"
                     : "Genes and metabolites that go together";
    plot.scale = report::ColourScale::Signed;
    plot.colour_label = "Pearson's r";
    plot.size_label = "absolute r";
    plot.groups = {"all spots"};
    plot.groups.insert(plot.groups.end(), groups.names.begin(), groups.names.end());
    for (std::int32_t g = -1; g < groups.count(); ++g) plot.colours.push_back(g);
    std::vector<const analysis::Correlation*> best;
    std::map<std::tuple<std::int32_t, std::int32_t, std::int32_t>, double> r_of;
    for (const auto& pair : found.pairs) {
        r_of[{pair.group, pair.gene, pair.metabolite}] = pair.r;
        const bool is_unclear = pair.adjusted_p >= 0.05;  // denoised pairs have no p-value
        if (pair.group < 0 && !is_unclear) best.push_back(&pair);
    }
    std::stable_sort(best.begin(), best.end(),
                     [](const auto* a, const auto* b) { return std::abs(a->r) > std::abs(b->r); });
    if (static_cast<std::int64_t>(best.size()) > shown) best.resize(shown);
    std::stable_sort(best.begin(), best.end(),
                     [](const auto* a, const auto* b) { return a->metabolite < b->metabolite; });
    report::DotPlotPanel panel{"", {}};
    const auto& names = values.features().names;
    for (const auto* pair : best) {
        report::DotPlotFeature row{names[pair->metabolite] + "  " + names[pair->gene], 0, {}, {}};
        for (std::int32_t g = -1; g < groups.count(); ++g) {
            const auto at = r_of.find({g, pair->gene, pair->metabolite});
            row.colour.push_back(at == r_of.end() ? std::nan("") : at->second);
            row.size.push_back(at == r_of.end() ? 0 : std::abs(at->second));
        }
        panel.features.push_back(std::move(row));
    }
    plot.panels.push_back(std::move(panel));
    return plot;
}

int run_correlate(Context& context, const CorrelateCommand& command) {
    const atlas::Run run = open_run(context, command.run);
    const auto samples = analysis::chosen_samples(run, command.samples);
    if (command.denoised && !context.options.dry_run) embed_run(context, run, true);
    const analysis::RunValues values(
        context.comm, run, samples,
        command.measured ? analysis::FeatureScope::Measured : analysis::FeatureScope::Selected,
        command.denoised && !context.options.dry_run ? analysis::ValueSource::Denoised
                                                     : analysis::ValueSource::Measured);
    const std::string name = !command.name.empty() ? command.name
                             : command.denoised    ? kDenoisedName
                                                   : kName;
    const auto groups =
        analysis::read_groups(context.comm, run, samples, command.key, command.ignore);
    if (context.options.dry_run) {
        print(context, fmt::format("run\t{}\nsamples\t{}\nspots\t{}\nfeatures\t{}\n", run.name(),
                                   samples.size(), values.rows(), values.features().count()));
        return 0;
    }
    const analysis::CorrelateOptions options{.top = command.top,
                                             .memory = memory_budget(context) / 2};
    const auto found = analysis::correlate(context.comm, run, values, groups, options);
    context.comm.root_or_throw([&] {
        atlas::write_table(run, name, analysis::correlations_tsv(found, values, groups));
        atlas::write_figure(
            run, name, report::dot_plot_svg(figure_of(found, values, groups, name, command.shown)));
    });
    core::log_info("correlation of {} genes with {} metabolites", found.genes, found.metabolites);
    record_history(context, run, "correlate");
    return 0;
}

}  // namespace

void add_correlate(CommandLine& line) {
    auto command = std::make_shared<CorrelateCommand>();
    auto& app = line.add("correlate", "genes and metabolites that go together",
                         [command](Context& context) { return run_correlate(context, *command); });
    add_run_options(app, command->run);
    app.add_option("--sample", command->samples, "samples to look at (default: all of the run)");
    app.add_option("--groupby", command->key, "obs column of the groups, beside all spots together")
        ->capture_default_str();
    app.add_option("--ignore", command->ignore, "values of the column that are no group")
        ->capture_default_str();
    auto* measured =
        app.add_flag("--measured", command->measured,
                     "all measured features (default: those that the model was trained on)");
    app.add_flag("--denoised", command->denoised,
                 "the model's reconstruction in place of what was measured, without p-values")
        ->excludes(measured);
    app.add_option("--top", command->top, "genes of each metabolite and group in the table")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--shown", command->shown, "pairs in the figure")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    app.add_option(
        "--name", command->name,
        fmt::format("name of the table and figure (default: {}, or {})", kName, kDenoisedName));
}

}  // namespace smeta::drivers
