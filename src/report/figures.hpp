#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "smeta/report/report_data.hpp"

#include "svg.hpp"

namespace smeta::report {

/// Samples that one figure of maps holds at most; the page shows the first figure, the others are
/// files.
inline constexpr std::size_t kMapsPerFigure = 24;

/// A figure and what it shows; its id is also the file's name.
struct Figure {
    Svg svg;
    std::string caption;
};

/// The loss and its terms over the epochs; nothing without metrics.
std::optional<Figure> loss_figure(const ReportData& data);
/// Of one fitted section (alignment_figure.hpp); nothing when its transform was given.
std::optional<Figure> alignment_figure(const std::filesystem::path& stage_file,
                                       const std::string& sample);
/// Sections coloured by cluster; empty when no sample is clustered.
std::vector<Figure> cluster_figures(const ReportData& data);
/// Serial sections in the frame of their block, from the side, coloured by cluster: a figure a
/// block.
std::vector<Figure> stack_figures(const ReportData& data);
/// Sections coloured by modality contribution; empty with one modality.
std::vector<Figure> contribution_figures(const ReportData& data);
/// Measured over reconstructed features, one figure a sample that has them.
std::vector<Figure> feature_figures(const ReportData& data);
/// Batch mixing before and after integration; nothing with one sample.
std::optional<Figure> mixing_figure(const ReportData& data);
/// Share of each cluster in each sample; nothing when no sample is clustered.
std::optional<Figure> composition_figure(const ReportData& data);

/// "metabolites (sm)", "genes (st)", or the name itself.
std::string modality_label(const std::string& name);
/// Pearson correlation; absent for a constant.
std::optional<double> correlation(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace smeta::report
