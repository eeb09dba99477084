#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/core/random.hpp"
#include "smeta/spatial/autocorrelation.hpp"
#include "smeta/spatial/graph.hpp"
#include "smeta/stats/mutual_information.hpp"
#include "smeta/stats/rank_sum.hpp"

namespace smeta::analysis::detail {

/// Clusters of one section as the marker scores look at them.
struct SectionClusters {
    static constexpr std::int64_t kFewestMarkers = 2;
    static constexpr std::int64_t kFewestSpecific = 4;

    /// `clusters`: of each spot, -1 for none; `position`: spots x 2.
    SectionClusters(const core::MatrixD& position, std::span<const std::int32_t> clusters);

    std::int32_t groups = 0;             ///< with two spots or more
    std::vector<std::int64_t> sizes;     ///< of each group
    std::vector<std::int32_t> codes;     ///< of each spot, -1: in no such group
    std::vector<std::int32_t> place;     ///< of each spot among those of the groups, -1
    std::vector<std::int32_t> specific;  ///< codes of the groups with four spots or more, else -1
    spatial::SpatialGraph graph;  ///< six nearest of the spots of the groups, rows normalised
    stats::MutualInformation information;
};

/// A value of a spot that is not 0.
struct SpotValue {
    std::int32_t spot = 0;
    float value = 0;
};

/// What the marker scores need of one feature and one clustering.
struct FeatureStatistics {
    std::vector<double> wilcoxon;  ///< z of each group against the rest, no correction for ties
    double moran = 0;
    double geary = 0;
    double zero_share = 0;      ///< of the spots in groups of four or more
    double specificity = 0;     ///< largest group mean over the mean; NaN where all is 0
    std::int32_t largest = -1;  ///< group of this mean, -1 where all is 0
};

/// Of log-normalised values, spots ascending. One object a thread.
class FeatureMeasurer {
  public:
    explicit FeatureMeasurer(const std::vector<SectionClusters>& clusterings);
    FeatureStatistics measure(std::size_t clustering, std::span<const SpotValue> values);

  private:
    std::vector<double> wilcoxon(const SectionClusters& clusters,
                                 std::span<const SpotValue> values);
    const std::vector<SectionClusters>& clusterings_;
    std::vector<spatial::Autocorrelation> autocorrelation_;
    std::vector<stats::GroupedValue> grouped_, buffer_;
    std::vector<double> dense_;
};

/// The values scikit-learn's mutual_info_classif looks at: over their standard deviation, with a
/// noise of 1e-10 of their size that tells equal ones apart, drawn by (seed, feature, sample, row).
std::vector<double> with_noise(std::span<const SpotValue> values, std::int64_t spots,
                               std::uint64_t seed, std::int32_t feature, std::uint64_t sample);

}  // namespace smeta::analysis::detail
