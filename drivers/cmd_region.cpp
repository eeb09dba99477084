#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/analysis/markers.hpp"
#include "smeta/analysis/regions.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/model/embed.hpp"
#include "smeta/report/gather.hpp"
#include "smeta/report/section_figure.hpp"

#include "analysis_commands.hpp"
#include "marker_output.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {
namespace {

struct RegionCommand {
    RunOptions run;
    std::string shapes;
    std::string sample;
    std::string column = "region";
    std::vector<std::string> compare;
    std::string composition;
    std::string method = "wilcoxon";
    bool selected = false;
    std::int64_t min_spots = 3;
    std::int64_t top = 5;
    std::string name = "regions";
};

/// Regions as they are stored in the results, and the samples that have them.
struct StoredRegions {
    std::vector<std::string> samples;
    analysis::Groups groups;
    std::vector<io::Shape> shapes;  ///< of --shapes
};

std::vector<io::Shape> read_regions(const Context& context, const atlas::Run& run,
                                    const RegionCommand& command) {
    std::vector<io::Shape> shapes;
    if (command.shapes.empty()) return shapes;
    context.comm.all_or_throw([&] {
        shapes = io::read_shapes(command.shapes, io::ShapeKind::Regions);
        analysis::resolve_samples(run, command.shapes, command.sample, shapes);
    });
    return shapes;
}

StoredRegions stored_regions(const Context& context, const atlas::Run& run,
                             const RegionCommand& command, std::vector<io::Shape> shapes) {
    StoredRegions stored;
    stored.samples = analysis::samples_of(run, shapes);
    if (shapes.empty() && !command.sample.empty()) stored.samples = {command.sample};
    stored.samples = analysis::chosen_samples(run, stored.samples);
    stored.groups = analysis::read_groups(context.comm, run, stored.samples, command.column);
    stored.shapes = std::move(shapes);
    return stored;
}

/// The groups that the markers are of: all, or the two that are compared.
analysis::Groups compared(const analysis::Groups& regions,
                          const std::vector<std::string>& compare) {
    analysis::Groups groups = regions;
    if (compare.empty()) return groups;
    for (const auto& name : compare)
        if (std::find(groups.names.begin(), groups.names.end(), name) == groups.names.end())
            throw core::ConfigError(
                fmt::format("--compare: '{}' is no region of column '{}'; "
                            "there are: {}",
                            name, groups.key, fmt::join(groups.names, ", ")));
    if (compare[0] == compare[1])
        throw core::ConfigError(
            fmt::format("--compare needs two different regions, found '{}' twice", compare[0]));
    for (auto& code : groups.codes)
        if (code >= 0 && groups.names[code] != compare[0] && groups.names[code] != compare[1])
            code = -1;
    return groups;
}

/// The colours that the figure of markers gives the regions; the spots outside are grey.
std::vector<report::LegendEntry> legend_of(const analysis::Groups& regions) {
    std::vector<report::LegendEntry> legend;
    for (std::int32_t g = 0; g < regions.count(); ++g)
        legend.push_back({regions.names[g], regions.names[g] == analysis::kOutside ? -1 : g});
    return legend;
}

report::SectionFigure figure_of(const atlas::Run& run, const StoredRegions& stored,
                                const RegionCommand& command) {
    report::SectionFigure figure{command.name, "Regions", legend_of(stored.groups), {}};
    auto code = stored.groups.codes.begin();
    for (const auto& sample : stored.samples) {
        report::SectionPanel panel{report::read_sample_map(run, sample), {}};
        panel.map.cluster.clear();
        for (std::int64_t r = 0; r < panel.map.spots(); ++r, ++code)
            panel.map.cluster.push_back(*code < 0 ? -1 : figure.legend[*code].colour);
        for (const auto& shape : stored.shapes)
            for (const auto& rings : shape.polygons)
                for (const auto& ring : rings) {
                    if (shape.sample != sample) continue;
                    core::MatrixD closed(ring.rows() + 1, 2);
                    closed << ring, ring.row(0);
                    panel.lines.push_back(std::move(closed));
                }
        figure.panels.push_back(std::move(panel));
    }
    return figure;
}

std::vector<analysis::Marker> find_region_markers(const Context& context,
                                                  const analysis::RunValues& values,
                                                  const analysis::Groups& groups,
                                                  const analysis::MarkerOptions& test) {
    auto markers = analysis::find_markers(context.comm, values, groups, test);
    // Unless asked for, what lies outside of all regions has no markers.
    if (!test.reference)
        std::erase_if(markers,
                      [&](const auto& m) { return groups.names[m.group] == analysis::kOutside; });
    return markers;
}

analysis::MarkerOptions marker_options(const Context& context, const RegionCommand& command) {
    analysis::MarkerOptions test{.min_spots = command.min_spots};
    test.method = command.method == "t-test" ? analysis::MarkerMethod::TTest
                                             : analysis::MarkerMethod::Wilcoxon;
    // A region is compared with its own section: others differ by more than tissue.
    if (command.compare.empty())
        test.scope = analysis::MarkerScope::WithinSamples;
    else
        test.reference = command.compare[1];
    test.memory = memory_budget(context) / 2;
    return test;
}

/// Tables and figures; rank 0 alone.
void write_regions(const atlas::Run& run, const StoredRegions& stored,
                   const RegionCommand& command) {
    atlas::write_table(run, command.name,
                       analysis::regions_tsv(run, stored.samples, stored.groups, stored.shapes));
    atlas::write_figure(run, command.name,
                        report::section_figure_svg(figure_of(run, stored, command)));
}

int run_region(Context& context, const RegionCommand& command) {
    const atlas::Run run = open_run(context, command.run);
    if (!command.sample.empty()) run.sample(command.sample);
    model::require_results(context.comm, run);
    auto shapes = read_regions(context, run, command);
    if (context.options.dry_run) {
        std::string text = fmt::format("run\t{}\ncolumn\t{}\n", run.name(), command.column);
        for (const auto& shape : shapes)
            text += fmt::format("region\t{}\t{}\n", shape.sample, shape.name);
        print(context, text);
        return 0;
    }
    if (!shapes.empty())
        analysis::store_regions(context.comm, run, command.shapes, shapes, command.column);
    const auto stored = stored_regions(context, run, command, std::move(shapes));
    const auto groups = compared(stored.groups, command.compare);
    const auto test = marker_options(context, command);
    const analysis::RunValues values(
        context.comm, run, stored.samples,
        command.selected ? analysis::FeatureScope::Selected : analysis::FeatureScope::Measured);
    const auto markers = [&] {
        const core::Timings::Scope timing(context.timings, "markers");
        return find_region_markers(context, values, groups, test);
    }();
    std::optional<analysis::Groups> parts;
    if (!command.composition.empty())
        parts = analysis::read_groups(context.comm, run, stored.samples, command.composition);
    context.comm.root_or_throw([&] {
        write_regions(run, stored, command);
        if (parts)
            atlas::write_table(
                run, command.name + "_composition",
                analysis::composition_tsv(run, stored.samples, stored.groups, *parts));
        write_markers(run, command.name + "_markers", markers, {values, groups, test, command.top});
        core::log_info("{} regions of '{}' in {} samples, {} tests of features",
                       std::count_if(stored.groups.names.begin(), stored.groups.names.end(),
                                     [](const auto& name) { return name != analysis::kOutside; }),
                       command.column, stored.samples.size(), markers.size());
    });
    record_history(context, run, "region");
    return 0;
}

}  // namespace

void add_region(CommandLine& line) {
    auto command = std::make_shared<RegionCommand>();
    auto& app = line.add("region", "regions drawn on sections: their spots, markers, comparison",
                         [command](Context& context) { return run_region(context, *command); });
    add_run_options(app, command->run);
    app.add_option("--shapes", command->shapes,
                   "regions to store: GeoJSON (Polygon, MultiPolygon) or a table of vertices "
                   "(x, y, name); without it those that are stored are looked at");
    app.add_option(
        "--sample", command->sample,
        "sample of shapes that do not name one; without --shapes the only one looked at");
    app.add_option("--column", command->column, "obs column of the results that has the regions")
        ->capture_default_str();
    app.add_option("--compare", command->compare,
                   "two regions (or a region and outside): the first against the second alone")
        ->expected(2);
    app.add_option("--composition", command->composition,
                   "obs column (cluster, a label) whose shares in each region are tabulated");
    app.add_option("--method", command->method,
                   "wilcoxon: rank sums with correction for ties; t-test: Welch's")
        ->check(CLI::IsMember({"wilcoxon", "t-test"}))
        ->capture_default_str();
    app.add_flag(
        "--selected", command->selected,
        "only the features that the model was trained on (default: all that were measured)");
    app.add_option("--min-spots", command->min_spots,
                   "spots that a region and its rest must have to be tested")
        ->check(CLI::Range(2, 1'000'000'000))
        ->capture_default_str();
    app.add_option("--top", command->top, "features of each region and modality in the figure")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app.add_option("--name", command->name, "name of the tables and figures")
        ->capture_default_str();
}

}  // namespace smeta::drivers
