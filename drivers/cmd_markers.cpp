#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/analysis/markers.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/core/log.hpp"
#include "smeta/report/dot_plot.hpp"

#include "analysis_commands.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {
namespace {

struct MarkersOptions {
    RunOptions run;
    std::vector<std::string> samples;
    std::string key = "cluster";
    std::string reference;
    bool within_samples = false;
    std::string method = "wilcoxon";
    bool selected = false;
    std::vector<std::string> ignore = {"undetermined"};
    std::int64_t min_spots = 3;
    std::int64_t top = 5;
    std::string name = "markers";
};

/// What a figure is made from: the markers of one sample, or of all.
struct Shown {
    std::span<const analysis::Marker> markers;
    const analysis::ValueFeatures& features;
    const analysis::Groups& groups;
    std::int64_t count;  ///< features of a group and modality
};

constexpr double kShownAdjustedP = 0.05;

/// The best features of one modality, group by group, each once.
std::vector<report::DotPlotFeature> best_features(const Shown& shown, std::int32_t modality) {
    std::map<std::tuple<std::int32_t, std::int32_t>, const analysis::Marker*> of;
    for (const auto& m : shown.markers) of[{m.feature, m.group}] = &m;
    std::vector<report::DotPlotFeature> result;
    std::set<std::int32_t> taken;
    std::map<std::int32_t, std::int64_t> count;
    for (const auto& m : shown.markers) {
        if (shown.features.modality[m.feature] != modality || m.score <= 0 ||
            m.adjusted_p >= kShownAdjustedP || count[m.group] >= shown.count ||
            !taken.insert(m.feature).second)
            continue;
        ++count[m.group];
        report::DotPlotFeature feature{shown.features.names[m.feature], m.group, {}, {}};
        for (std::int32_t g = 0; g < shown.groups.count(); ++g) {
            const auto found = of.find({m.feature, g});
            const bool is_there = found != of.end();
            feature.colour.push_back(is_there ? found->second->mean
                                              : std::numeric_limits<double>::quiet_NaN());
            feature.size.push_back(is_there ? found->second->fraction : 0);
        }
        result.push_back(std::move(feature));
    }
    return result;
}

report::DotPlot figure_of(const Shown& shown, const std::string& name, const std::string& where) {
    report::DotPlot plot;
    plot.id = name;
    plot.title = fmt::format("Markers of each {} {}", shown.groups.key, where);
    plot.group_key = shown.groups.key;
    plot.groups = shown.groups.names;
    plot.colour_label = "mean over the group";
    plot.size_label = "spots with the feature";
    for (std::int32_t g = 0; g < shown.groups.count(); ++g) plot.colours.push_back(g);
    for (std::size_t m = 0; m < shown.features.modalities.size(); ++m) {
        const auto& modality = shown.features.modalities[m];
        plot.panels.push_back({modality == "st"   ? "genes"
                               : modality == "sm" ? "metabolites"
                                                  : modality,
                               best_features(shown, static_cast<std::int32_t>(m))});
    }
    return plot;
}

/// One table; a figure of all samples, or one a sample.
void write_markers(const atlas::Run& run, const std::string& name,
                   const std::vector<analysis::Marker>& markers, const analysis::RunValues& values,
                   const analysis::Groups& groups, const analysis::MarkerOptions& options,
                   std::int64_t figure_features) {
    atlas::write_table(run, name, analysis::markers_tsv(markers, values, groups, options));
    for (std::size_t first = 0; first < markers.size();) {
        std::size_t last = first;
        while (last < markers.size() && markers[last].sample == markers[first].sample) ++last;
        const auto sample = markers[first].sample;
        const auto file = sample < 0 ? name : name + "_" + values.samples()[sample];
        const auto where = sample < 0 ? "in run " + run.name() : "in " + values.samples()[sample];
        const Shown shown{
            {markers.data() + first, last - first}, values.features(), groups, figure_features};
        atlas::write_figure(run, file, report::dot_plot_svg(figure_of(shown, file, where)));
        first = last;
    }
}

int run_markers(Context& context, const MarkersOptions& options) {
    const atlas::Run run = open_run(context, options.run);
    const auto samples = analysis::chosen_samples(run, options.samples);
    const analysis::RunValues values(
        context.comm, run, samples,
        options.selected ? analysis::FeatureScope::Selected : analysis::FeatureScope::Measured);
    const auto groups =
        analysis::read_groups(context.comm, run, samples, options.key, options.ignore);
    if (context.options.dry_run) {
        print(context, fmt::format("run\t{}\nsamples\t{}\nspots\t{}\nfeatures\t{}\ngroups\t{}\n",
                                   run.name(), samples.size(), values.rows(),
                                   values.features().count(), fmt::join(groups.names, ", ")));
        return 0;
    }
    analysis::MarkerOptions test{.min_spots = options.min_spots};
    test.method = options.method == "t-test" ? analysis::MarkerMethod::TTest
                                             : analysis::MarkerMethod::Wilcoxon;
    test.scope = options.within_samples ? analysis::MarkerScope::WithinSamples
                                        : analysis::MarkerScope::AllSamples;
    if (!options.reference.empty()) test.reference = options.reference;
    test.memory = memory_budget(context) / 2;
    std::vector<analysis::Marker> markers;
    {
        const core::Timings::Scope timing(context.timings, "markers");
        markers = analysis::find_markers(context.comm, values, groups, test);
    }
    context.comm.root_or_throw([&] {
        write_markers(run, options.name, markers, values, groups, test, options.top);
        const auto clear = std::count_if(markers.begin(), markers.end(), [](const auto& m) {
            return m.score > 0 && m.adjusted_p < kShownAdjustedP;
        });
        core::log_info("markers of '{}': {} tests, {} higher in their group (adjusted p < {})",
                       options.key, markers.size(), clear, kShownAdjustedP);
    });
    record_history(context, run, "markers");
    return 0;
}

}  // namespace

void add_markers(CommandLine& line) {
    auto options = std::make_shared<MarkersOptions>();
    auto& app = line.add("markers", "genes and metabolites that mark clusters, labels or samples",
                         [options](Context& context) { return run_markers(context, *options); });
    add_run_options(app, options->run);
    app.add_option("--sample", options->samples, "samples to look at (default: all of the run)");
    app.add_option("--groupby", options->key, "obs column of the groups: cluster, sample, a label")
        ->capture_default_str();
    app.add_option("--reference", options->reference,
                   "group to compare with (default: all other groups together)");
    app.add_flag("--within-samples", options->within_samples,
                 "compare inside each sample, one block of the table and one figure a sample");
    app.add_option("--method", options->method,
                   "wilcoxon: rank sums with correction for ties; t-test: Welch's")
        ->check(CLI::IsMember({"wilcoxon", "t-test"}))
        ->capture_default_str();
    app.add_flag(
        "--selected", options->selected,
        "only the features that the model was trained on (default: all that were measured)");
    app.add_option("--ignore", options->ignore, "values of the column that are no group")
        ->capture_default_str();
    app.add_option("--min-spots", options->min_spots,
                   "spots that a group and its rest must have to be tested")
        ->check(CLI::Range(2, 1'000'000'000))
        ->capture_default_str();
    app.add_option("--top", options->top, "features of each group and modality in the figure")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app.add_option("--name", options->name, "name of the table and figure")->capture_default_str();
}

}  // namespace smeta::drivers
