#include "marker_output.hpp"

#include <limits>
#include <map>
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
    std::int64_t count;  ///< features of a group and modality
};

/// The best features of one modality, group by group, each once.
std::vector<report::DotPlotFeature> best_features(const Shown& shown, std::int32_t modality) {
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
        plot.panels.push_back({modality_title(shown.features.modalities[m]),
                               best_features(shown, static_cast<std::int32_t>(m))});
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
        const Shown shown{
            {markers.data() + first, last - first}, values.features(), groups, figure_features};
        atlas::write_figure(run, file, report::dot_plot_svg(figure_of(shown, file, where)));
        first = last;
    }
}

}  // namespace smeta::drivers
