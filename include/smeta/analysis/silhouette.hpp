#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// Silhouette width (b - a) / max(a, b) of points [queries.first, queries.last): a = mean Euclidean
/// distance to the other points of its label, b = the smallest mean distance to the points of
/// another label (Rousseeuw 1987; scikit-learn's silhouette_samples). 0 in a group of one and where
/// there is one group only. `labels`: one a point, from 0. Exact: queries x points distances in
/// double, on core::threads() threads; memory: one copy of the points. A width depends on no other
/// query. Local; throws NumericError on a coordinate that is not finite.
std::vector<double> silhouette(const core::MatrixD& points, std::span<const std::int32_t> labels,
                               comm::Range queries);

/// Of all points. Local.
std::vector<double> silhouette(const core::MatrixD& points, std::span<const std::int32_t> labels);

/// Of all points, queries shared evenly over ranks; every rank gets all. The same numbers on any
/// number of ranks. Collective.
std::vector<double> silhouette(const comm::Comm& comm, const core::MatrixD& points,
                               std::span<const std::int32_t> labels);

/// Sum of the distances of every point to the points of each of `groups` groups: points x groups,
/// row-major, on every rank. Collective.
std::vector<double> group_distance_sums(const comm::Comm& comm, const core::MatrixD& points,
                                        std::span<const std::int32_t> labels, std::int32_t groups);

}  // namespace smeta::analysis
