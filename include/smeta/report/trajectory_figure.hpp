#pragma once

#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/report/report_data.hpp"

namespace smeta::report {

/// One feature along a path, at evenly spaced positions.
struct PathCurve {
    std::string name;
    std::vector<double> value;
    std::vector<double> half_width;  ///< of the confidence band
};

struct PathPanel {
    std::string title;  ///< "genes", "metabolites"
    std::vector<PathCurve> curves;
};

struct PathFigure {
    std::string id;
    std::string title;
    SampleMap map;
    core::MatrixD line;         ///< the path's vertices by (x, y)
    std::vector<double> along;  ///< of every spot; NaN: not on the path
    double first = 0;           ///< positions of the curves' ends
    double last = 1;
    std::string unit;  ///< of positions
    std::vector<PathPanel> panels;
};

/// The section with the path and its spots coloured by position; beside it one heat row a feature,
/// each from its lowest to its highest value, ordered by where it peaks. A whole SVG file. Local.
std::string path_heat_svg(const PathFigure& figure);

/// Small charts of the first `most` curves of each panel with their bands. A whole SVG file. Local.
std::string path_curves_svg(const PathFigure& figure, std::size_t most);

}  // namespace smeta::report
