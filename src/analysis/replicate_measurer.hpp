#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bootstrap.hpp"
#include "feature_statistics.hpp"

namespace smeta::analysis::detail {

/// Statistics of a feature in samples of a section's spots drawn with replacement. Clusters, graph,
/// neighbours among values and the cluster in which a feature is largest stay what they are: their
/// choice is part of the score, and of a maximum over noise the samples would have more. One object
/// a thread; keeps references.
class ReplicateMeasurer {
  public:
    enum Statistic : std::size_t { kMoran, kGeary, kSpecificity, kInformation, kStatistics };

    ReplicateMeasurer(const std::vector<SectionClusters>& clusterings, const SpotDraws& draws);

    /// Appends kStatistics times one value a replicate; NaN where one is undefined. `values`,
    /// `found`: as in FeatureMeasurer; `information`, `terms`: of stats::MutualInformation.
    void measure(std::size_t clustering, std::span<const SpotValue> values,
                 const FeatureStatistics& found, double information, std::span<const double> terms,
                 std::vector<float>& result);

  private:
    using Counts = std::vector<double>;  ///< of spots drawn, one number a replicate
    struct Drawn {
        Counts in_groups;                 ///< with two spots or more
        Counts specific;                  ///< with four spots or more
        std::vector<Counts> by_specific;  ///< each of these
        std::vector<std::int64_t> spots;  ///< of each place in the graph
    };

    void add_autocorrelation(std::size_t clustering, std::span<const SpotValue> values,
                             std::vector<float>& result);
    void add_specificity(std::size_t clustering, std::span<const SpotValue> values,
                         std::int32_t largest, std::vector<float>& result);
    void add_information(std::size_t clustering, double information, std::span<const double> terms,
                         std::vector<float>& result);

    const std::vector<SectionClusters>& clusterings_;
    const SpotDraws& draws_;
    std::vector<Drawn> drawn_;
    std::vector<double> dense_;
    std::vector<double> sums_;
};

}  // namespace smeta::analysis::detail
