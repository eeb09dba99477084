#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// 1 for each node that lies in the largest connected part of its label when only edges within the
/// label count (of equal parts: the one with the first node), else 0. The mean over labels of their
/// means is scib's graph_connectivity: 1 = every label hangs together. `graph`: symmetric, n x n;
/// labels from 0. Local.
std::vector<double> in_largest_part(const core::CsrView& graph,
                                    std::span<const std::int32_t> labels);

/// Share of the variance of `scores` (n x components, centred or not) that lies between batches:
/// the mean of R^2 of each column on the batch, weighted by the column's variance (scib's
/// pc_regression with a categorical covariate). Over all components of an embedding this does not
/// depend on its rotation, so an embedding needs no PCA first. NaN without variance. Local.
double batch_variance(const core::MatrixD& scores, std::span<const std::int32_t> batches);

}  // namespace smeta::analysis
