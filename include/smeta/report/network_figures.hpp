#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smeta::report {

/// One number for every pair of clusters, row-major; NaN: not shown.
struct ClusterMatrix {
    std::vector<std::string> clusters;
    std::vector<double> values;

    double at(std::size_t a, std::size_t b) const { return values[a * clusters.size() + b]; }
};

/// Quartiles of one modality's contribution in one cluster.
struct ContributionBox {
    std::int32_t cluster = 0;
    std::string modality;
    double lower = 0;
    double median = 0;
    double upper = 0;
};
struct ContributionBars {
    std::vector<std::string> clusters;
    std::vector<ContributionBox> boxes;
};

/// z-scores as a heat map, purple below 0 and orange above, the same extent to both sides. Whole
/// SVG files, all three. Local.
std::string enrichment_svg(const std::string& id, const std::string& title, const ClusterMatrix& z);
/// Clusters on a circle, area by their spots; the up to five nearest others of each are joined, the
/// wider the nearer (`proximity`: 0 ... 1, edges from 0.1 on).
std::string network_svg(const std::string& id, const std::string& title,
                        const ClusterMatrix& proximity, const std::vector<std::int64_t>& spots);
/// For each modality a panel: median and quartiles of each cluster.
std::string contribution_svg(const std::string& id, const std::string& title,
                             const ContributionBars& bars);

}  // namespace smeta::report
