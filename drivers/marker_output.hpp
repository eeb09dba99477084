#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/analysis/markers.hpp"
#include "smeta/atlas/run.hpp"

namespace smeta::drivers {

/// Adjusted p below which a feature is said to mark a group, and is drawn.
inline constexpr double kClearAdjustedP = 0.05;

/// How figures call a modality: "genes", "metabolites", else its name.
std::string modality_title(const std::string& modality);

/// What markers were made of.
struct MarkerOutput {
    const analysis::RunValues& values;
    const analysis::Groups& groups;
    const analysis::MarkerOptions& options;
    std::int64_t figure_features = 5;  ///< of a group and modality in the figure
};

/// tables/NAME.tsv, and figures/NAME.svg of all samples or NAME_SAMPLE.svg of each. Rank 0 alone.
void write_markers(const atlas::Run& run, const std::string& name,
                   const std::vector<analysis::Marker>& markers, const MarkerOutput& of);

}  // namespace smeta::drivers
