#pragma once

#include <string>
#include <vector>

namespace smeta::report {

/// One score of several embeddings; raw values, NaN where there is none.
struct ScoreColumn {
    std::string group;  ///< "batch"
    std::string name;   ///< "ilisi"
    bool low_is_good = false;
    std::vector<double> values;  ///< of each embedding
};

/// Scores of embeddings side by side.
struct ScoreFigure {
    std::string id;
    std::string title;
    std::vector<std::string> embeddings;
    std::vector<ScoreColumn> columns;  ///< those of a group one after the other
};

/// Embeddings as rows, scores as columns: the raw value in each cell, coloured from 0 (bad) to 1
/// (good), not relative to the embeddings shown. A whole SVG file. Local.
std::string score_svg(const ScoreFigure& figure);

}  // namespace smeta::report
