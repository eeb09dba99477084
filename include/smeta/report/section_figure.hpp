#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/report/report_data.hpp"

namespace smeta::report {

/// A group of spots in a figure's legend.
struct LegendEntry {
    std::string name;
    std::int32_t colour = -1;  ///< as numbers of clusters, -1 grey
};

/// A section whose spots have the colours of map.cluster, with lines drawn over them.
struct SectionPanel {
    SampleMap map;
    std::vector<core::MatrixD> lines;  ///< vertices by (x, y), in the coordinates of the spots
};

struct SectionFigure {
    std::string id;
    std::string title;
    std::vector<LegendEntry> legend;
    std::vector<SectionPanel> panels;
};

/// Sections side by side, the legend below. A whole SVG file. Local.
std::string section_figure_svg(const SectionFigure& figure);

}  // namespace smeta::report
