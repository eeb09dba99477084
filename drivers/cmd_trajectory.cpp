#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "smeta/analysis/groups.hpp"
#include "smeta/analysis/regions.hpp"
#include "smeta/analysis/trajectory.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/text_table.hpp"
#include "smeta/model/embed.hpp"
#include "smeta/report/gather.hpp"
#include "smeta/report/trajectory_figure.hpp"

#include "analysis_commands.hpp"
#include "marker_output.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {
namespace {

struct TrajectoryCommand {
    RunOptions run;
    std::string shapes;
    std::vector<std::string> points;
    std::string sample;
    std::string width;
    std::int32_t knots = 5;
    bool selected = false;
    std::int64_t top = 20;
    std::string name = "trajectory";
};

constexpr std::size_t kCharts = 8;  // of a modality in the figure of curves

/// --points as a line.
core::MatrixD parse_points(const std::vector<std::string>& points) {
    core::MatrixD line(static_cast<Eigen::Index>(points.size()), 2);
    for (std::size_t p = 0; p < points.size(); ++p) {
        const auto comma = points[p].find(',');
        const auto number = [&](const std::string& text) { return io::parse_number(text); };
        const auto x = number(points[p].substr(0, comma));
        const auto y =
            comma == std::string::npos ? std::nullopt : number(points[p].substr(comma + 1));
        if (!x || !y || !std::isfinite(*x) || !std::isfinite(*y))
            throw core::ConfigError(fmt::format(
                "--points: expected x,y of each vertex, as in 120,80 300,95; found '{}'",
                points[p]));
        line.row(static_cast<Eigen::Index>(p)) << *x, *y;
    }
    if (line.rows() < 2) throw core::ConfigError("--points needs at least two vertices");
    return line;
}

std::vector<io::Shape> read_paths(const Context& context, const atlas::Run& run,
                                  const TrajectoryCommand& command) {
    if (command.shapes.empty() == command.points.empty())
        throw core::ConfigError("give the path with --shapes FILE or with --points x,y x,y ...");
    std::vector<io::Shape> shapes;
    context.comm.all_or_throw([&] {
        if (command.points.empty())
            shapes = io::read_shapes(command.shapes, io::ShapeKind::Paths);
        else
            shapes = {{"path_1", "", {}, {parse_points(command.points)}}};
        const auto file = command.points.empty() ? command.shapes : std::string("--points");
        analysis::resolve_samples(run, file, command.sample, shapes);
        for (const auto& shape : shapes) {
            atlas::check_name("path", shape.name);
            if (shape.lines.size() != 1)
                throw core::FormatError({file, fmt::format("path '{}'", shape.name), "one line",
                                         fmt::format("{}", shape.lines.size()),
                                         "join the lines, or give each a name of its own"});
        }
    });
    return shapes;
}

/// --width in units of the sample's coordinates; 0 where it was not given.
double width_of(const Context& context, const atlas::Run& run, const std::string& sample,
                const std::string& text) {
    if (text.empty()) return 0;
    const bool is_microns = text.ends_with("um");
    const auto number = io::parse_number(text.substr(0, text.size() - (is_microns ? 2 : 0)));
    if (!number || !(*number > 0) || !std::isfinite(*number))
        throw core::ConfigError(fmt::format(
            "--width: expected a number above 0, or one of micrometres as 150um; found '{}'",
            text));
    if (!is_microns) return *number;
    double width = 0;
    context.comm.root_or_throw([&] {
        const auto map = report::read_sample_map(run, sample);
        if (!map.microns_per_unit)
            throw core::ConfigError(fmt::format(
                "--width {}: the size of a unit of the coordinates of '{}' is not known; give it "
                "in that unit ({})",
                text, sample, map.unit.empty() ? "of obsm['spatial']" : map.unit));
        width = *number / *map.microns_per_unit;
    });
    context.comm.broadcast(width);
    return width;
}

report::PathFigure figure_of(const atlas::Run& run, const analysis::PathGradients& path,
                             const TrajectoryCommand& command, const std::string& id) {
    const auto& trajectory = path.trajectory;
    const auto at = analysis::curve_positions(trajectory);
    report::PathFigure figure;
    figure.id = id;
    figure.title = fmt::format("{} along {}: {} spots", trajectory.sample, trajectory.name,
                               trajectory.spots());
    figure.map = report::read_sample_map(run, trajectory.sample);
    figure.line = trajectory.line;
    figure.along = trajectory.along;
    figure.first = at.front();
    figure.last = at.back();
    figure.unit = figure.map.unit.empty() ? "unit of the coordinates" : figure.map.unit;
    const double microns = figure.map.microns_per_unit.value_or(1);
    if (figure.map.microns_per_unit) {
        figure.unit = "\u00b5m";
        figure.first *= microns;
        figure.last *= microns;
        for (auto& along : figure.along) along *= microns;
    }
    const auto regression = analysis::path_regression(trajectory, command.knots);
    for (const auto& modality : path.features.modalities)
        figure.panels.push_back({modality_title(modality), {}});
    for (const auto i : analysis::top_gradients(path, command.top)) {
        const auto& gradient = path.gradients[i];
        if (gradient.adjusted_p >= kClearAdjustedP) continue;
        auto curve = analysis::curve_of(regression, gradient, at);
        figure.panels[path.features.modality[gradient.feature]].curves.push_back(
            {path.features.names[gradient.feature], std::move(curve.value),
             std::move(curve.half_width)});
    }
    return figure;
}

/// Tables of all paths, two figures of each; rank 0 alone.
void write_paths(const atlas::Run& run, const std::vector<analysis::PathGradients>& paths,
                 const TrajectoryCommand& command) {
    atlas::write_table(run, command.name, analysis::gradients_tsv(paths));
    atlas::write_table(run, command.name + "_curves",
                       analysis::curves_tsv(paths, command.knots, command.top));
    for (const auto& path : paths) {
        const auto id = paths.size() == 1
                            ? command.name
                            : fmt::format("{}_{}_{}", command.name, path.trajectory.sample,
                                          path.trajectory.name);
        const auto figure = figure_of(run, path, command, id);
        atlas::write_figure(run, id, report::path_heat_svg(figure));
        atlas::write_figure(run, id + "_curves", report::path_curves_svg(figure, kCharts));
        const auto clear =
            std::count_if(path.gradients.begin(), path.gradients.end(),
                          [](const auto& g) { return g.adjusted_p < kClearAdjustedP; });
        core::log_info(
            "path '{}' on '{}': {} spots within {:.4g}, {} of {} features change along "
            "it (adjusted p < {})",
            path.trajectory.name, path.trajectory.sample, path.trajectory.spots(),
            path.trajectory.width, clear, path.gradients.size(), kClearAdjustedP);
    }
}

analysis::PathGradients follow(Context& context, const atlas::Run& run,
                               const analysis::Trajectory& trajectory,
                               const TrajectoryCommand& command) {
    const core::Timings::Scope timing(context.timings, "gradients");
    const analysis::RunValues values(
        context.comm, run, {trajectory.sample},
        command.selected ? analysis::FeatureScope::Selected : analysis::FeatureScope::Measured);
    return {trajectory, values.features(),
            analysis::find_gradients(context.comm, values, trajectory,
                                     {command.knots, memory_budget(context) / 2})};
}

int run_trajectory(Context& context, const TrajectoryCommand& command) {
    const atlas::Run run = open_run(context, command.run);
    if (!command.sample.empty()) run.sample(command.sample);
    model::require_results(context.comm, run);
    const auto shapes = read_paths(context, run, command);
    std::vector<analysis::Trajectory> trajectories;
    for (const auto& shape : shapes) {
        trajectories.push_back(
            analysis::follow_path(context.comm, run, shape.name, shape.sample, shape.lines.front(),
                                  width_of(context, run, shape.sample, command.width)));
        analysis::path_regression(trajectories.back(), command.knots);
    }
    if (context.options.dry_run) {
        std::string text = fmt::format("run\t{}\n", run.name());
        for (const auto& t : trajectories)
            text += fmt::format("path\t{}\t{}\t{} spots within {:.4g}, length {:.4g}\n", t.sample,
                                t.name, t.spots(), t.width, t.length);
        print(context, text);
        return 0;
    }
    std::vector<analysis::PathGradients> paths;
    for (const auto& trajectory : trajectories)
        paths.push_back(follow(context, run, trajectory, command));
    for (const auto& trajectory : trajectories)
        analysis::store_trajectory(context.comm, run, trajectory);
    context.comm.root_or_throw([&] { write_paths(run, paths, command); });
    record_history(context, run, "trajectory");
    return 0;
}

}  // namespace

void add_trajectory(CommandLine& line) {
    auto command = std::make_shared<TrajectoryCommand>();
    auto& app =
        line.add("trajectory", "genes and metabolites that change along a path on a section",
                 [command](Context& context) { return run_trajectory(context, *command); });
    add_run_options(app, command->run);
    app.add_option("--shapes", command->shapes,
                   "paths: GeoJSON (LineString) or a table of vertices (x, y, name)");
    app.add_option("--points", command->points, "a path's vertices: x,y x,y ...");
    app.add_option("--sample", command->sample, "sample of paths that do not name one");
    app.add_option("--width", command->width,
                   "largest distance of a spot from the path, in the unit of the coordinates or "
                   "as 150um (default: twice the spots' spacing)");
    app.add_option("--knots", command->knots,
                   "knots of the natural cubic spline: 2 a straight line, more follow more bends")
        ->check(CLI::Range(2, analysis::kMostKnots))
        ->capture_default_str();
    app.add_flag(
        "--selected", command->selected,
        "only the features that the model was trained on (default: all that were measured)");
    app.add_option("--top", command->top,
                   "features of each modality in the figure and the table of curves")
        ->check(CLI::Range(1, 200))
        ->capture_default_str();
    app.add_option("--name", command->name, "name of the tables and figures")
        ->capture_default_str();
}

}  // namespace smeta::drivers
