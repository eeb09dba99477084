#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/analysis/markers.hpp"
#include "smeta/core/log.hpp"

#include "analysis_commands.hpp"
#include "marker_output.hpp"
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
    test.method = options.method == "t-test"     ? analysis::MarkerMethod::TTest
                  : options.method == "logistic" ? analysis::MarkerMethod::Logistic
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
        write_markers(run, options.name, markers, {values, groups, test, options.top});
        const auto clear = std::count_if(markers.begin(), markers.end(), [](const auto& m) {
            return m.score > 0 && m.adjusted_p < kClearAdjustedP;
        });
        if (test.method != analysis::MarkerMethod::Logistic)
            core::log_info("markers of '{}': {} tests, {} higher in their group (adjusted p < {})",
                           options.key, markers.size(), clear, kClearAdjustedP);
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
                   "wilcoxon: rank sums with correction for ties; t-test: Welch's; logistic: "
                   "coefficients of a regression on all features together, no p-values")
        ->check(CLI::IsMember({"wilcoxon", "t-test", "logistic"}))
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
