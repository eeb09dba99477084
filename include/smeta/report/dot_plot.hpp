#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smeta::report {

/// One feature over the groups of a DotPlot.
struct DotPlotFeature {
    std::string name;
    std::int32_t marks = 0;      ///< the group that it marks
    std::vector<double> colour;  ///< in each group; NaN: not shown
    std::vector<double> size;    ///< area of the dot, 0 to 1
};

struct DotPlotPanel {
    std::string title;  ///< "genes", "metabolites"
    std::vector<DotPlotFeature> features;
};

/// How values become colours: over the groups of each feature, from 0 to the figure's largest, or
/// from -1 to 1 with 0 in the middle.
enum class ColourScale { Feature, Figure, Signed };

/// Features that mark groups: a dot for each feature and group, whose area and colour are numbers.
struct DotPlot {
    std::string id;
    std::string title;
    std::string group_key;  ///< what the groups are: "cluster"
    std::vector<std::string> groups;
    std::vector<std::int32_t> colours;  ///< of each group, as numbers of clusters
    ColourScale scale = ColourScale::Feature;
    std::string colour_label;          ///< "mean value"
    std::string size_label;            ///< "spots with the feature"
    std::vector<DotPlotPanel> panels;  ///< side by side; those without features are left out
};

/// The figure as a whole SVG file.
std::string dot_plot_svg(const DotPlot& plot);

}  // namespace smeta::report
