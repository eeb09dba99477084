#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

inline constexpr std::int64_t kPasNeighbors = 10;

/// CHAOS of one section (SpatialMETA's definition): coordinates scaled to mean 0 and population
/// standard deviation 1; for each spot of a cluster with more than two spots its distance to the
/// nearest spot of the same cluster. Mean over these spots is the score. NaN for the other spots.
/// `position`: n x 2; clusters from 0, -1 = none. Local.
std::vector<double> chaos_distances(const core::MatrixD& position,
                                    std::span<const std::int32_t> clusters);

/// PAS of one section: 1 for a spot where more than five of its ten nearest other spots (ties to
/// the lower row; fewer in a smaller section) are of another cluster, else 0. Mean is the score.
/// NaN for a spot without a cluster. Local.
std::vector<double> abnormal_spots(const core::MatrixD& position,
                                   std::span<const std::int32_t> clusters);

/// Mean of the values that are no NaN; NaN where there are none. Local.
double mean_of_known(std::span<const double> values);

}  // namespace smeta::analysis
