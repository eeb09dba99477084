#include "marker_output.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include <fmt/format.h>

#include "smeta/atlas/run_output.hpp"
#include "smeta/report/dot_plot.hpp"

namespace smeta::drivers {
namespace {

/// What a figure is made from: the markers of one sample, or of all.
struct Shown {
    std::span<const analysis::Marker> markers;
    const analysis::ValueFeatures& features;
    const analysis::Groups& groups;
    const std::optional<std::string>& reference;
    std::int64_t count;  ///< features of a group and modality
};

/// The groups that were tested, in order.
std::vector<std::int32_t> tested_groups(const Shown& shown) {
    std::set<std::int32_t> tested;
    for (const auto& m : shown.markers) tested.insert(m.group);
    return {tested.begin(), tested.end()};
}

/// What all columns were tested against: the reference, or the rest of a single one.
std::optional<std::string> common_rest(const Shown& shown,
                                       const std::vector<std::int32_t>& columns) {
    if (shown.reference) return shown.reference;
    if (columns.size() == 1) return "rest";
    return std::nullopt;
}

/// The best features of one modality, group by group, each once. A column for each of `columns`,
/// and one for `common_rest`.
std::vector<report::DotPlotFeature> best_features(const Shown& shown,
                                                  const std::vector<std::int32_t>& columns,
                                                  std::int32_t modality) {
    std::map<std::tuple<std::int32_t, std::int32_t>, const analysis::Marker*> of;
    for (const auto& m : shown.markers) of[{m.feature, m.group}] = &m;
    std::vector<report::DotPlotFeature> result;
    std::set<std::int32_t> taken;
    std::map<std::int32_t, std::int64_t> count;
    for (const auto& m : shown.markers) {
        if (shown.features.modality[m.feature] != modality || m.score <= 0 ||
            m.adjusted_p >= kClearAdjustedP || count[m.group] >= shown.count ||
            !taken.insert(m.feature).second)
            continue;
        ++count[m.group];
        const auto column = std::ranges::find(columns, m.group) - columns.begin();
        report::DotPlotFeature feature{
            shown.features.names[m.feature], static_cast<std::int32_t>(column), {}, {}};
        for (const std::int32_t g : columns) {
            const auto found = of.find({m.feature, g});
            const bool is_there = found != of.end();
            feature.colour.push_back(is_there ? found->second->mean
                                              : std::numeric_limits<double>::quiet_NaN());
            feature.size.push_back(is_there ? found->second->fraction : 0);
        }
        if (common_rest(shown, columns)) {
            feature.colour.push_back(m.mean_rest);
            feature.size.push_back(m.fraction_rest);
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
    plot.colour_label = "mean over the group";
    plot.size_label = "spots with the feature";
    const std::vector<std::int32_t> columns = tested_groups(shown);
    for (const std::int32_t g : columns) {
        plot.groups.push_back(shown.groups.names[g]);
        plot.colours.push_back(g);
    }
    if (const auto rest = common_rest(shown, columns)) {
        plot.groups.push_back(*rest);
        plot.colours.push_back(-1);
    }
    for (std::size_t m = 0; m < shown.features.modalities.size(); ++m) {
        plot.panels.push_back({modality_title(shown.features.modalities[m]),
                               best_features(shown, columns, static_cast<std::int32_t>(m))});
    }
    return plot;
}

}  // namespace

std::string modality_title(const std::string& modality) {
    return modality == "st" ? "genes" : modality == "sm" ? "metabolites" : modality;
}

void write_markers(const atlas::Run& run, const std::string& name,
                   const std::vector<analysis::Marker>& markers, const MarkerOutput& of) {
    const auto& [values, groups, options, figure_features] = of;
    atlas::write_table(run, name, analysis::markers_tsv(markers, values, groups, options));
    for (std::size_t first = 0; first < markers.size();) {
        std::size_t last = first;
        while (last < markers.size() && markers[last].sample == markers[first].sample) ++last;
        const auto sample = markers[first].sample;
        const auto file = sample < 0 ? name : name + "_" + values.samples()[sample];
        const auto where = sample < 0 ? "in run " + run.name() : "in " + values.samples()[sample];
        const Shown shown{{markers.data() + first, last - first},
                          values.features(),
                          groups,
                          options.reference,
                          figure_features};
        atlas::write_figure(run, file, report::dot_plot_svg(figure_of(shown, file, where)));
        first = last;
    }
}

}  // namespace smeta::drivers
