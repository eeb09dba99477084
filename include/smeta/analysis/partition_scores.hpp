#pragma once

#include <cstdint>
#include <span>

namespace smeta::analysis {

/// Adjusted Rand index of two labellings of the same points (Hubert & Arabie 1985; scikit-learn's
/// adjusted_rand_score): 1 = the same partition, 0 in the mean of random ones. Labels from 0; NaN
/// without points. Local.
double adjusted_rand_index(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

/// Mutual information over the mean of the two entropies (scikit-learn's
/// normalized_mutual_info_score): 0 ... 1; 1 where both have one group only. NaN without points.
/// Local.
double normalized_mutual_information(std::span<const std::int32_t> a,
                                     std::span<const std::int32_t> b);

}  // namespace smeta::analysis
