#pragma once

#include <cstdint>

#include "smeta/analysis/cluster.hpp"
#include "smeta/analysis/cluster_config.hpp"
#include "smeta/analysis/umap_config.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// Shape of the low-dimensional similarity 1 / (1 + a d^(2 b)).
struct UmapCurve {
    double a = 1;
    double b = 1;
};
/// Least-squares fit to 1 below min_dist and exp(-(d - min_dist) / spread) above, at 300 distances
/// up to 3 spread (umap-learn's find_ab_params). Local.
UmapCurve umap_curve(double min_dist, double spread);

/// The two leading principal components of the points, scaled so that the largest coordinate is 10:
/// where the layout starts. Local.
core::MatrixD umap_start(const core::MatrixD& points);

/// Layout of a symmetric graph of weights in (0, 1] in two dimensions: stochastic gradient descent
/// on the cross entropy between weights and similarities (McInnes et al. 2018, section 4; schedule,
/// step and negative sampling of umap-learn 0.5). `start`: n x 2. One thread, draws keyed by (seed,
/// epoch, edge): the same layout on any number of ranks and threads. Local.
core::MatrixD umap_layout(const core::CsrView& graph, core::MatrixD start, const UmapConfig& config,
                          std::uint64_t seed);

/// Layout of neighbors.h5 (made first when absent or out of date) as obsm["X_umap"] of every
/// results/SAMPLE.h5ad. Left alone when the results carry one made from the same graph with the
/// same settings. Collective.
StageResult run_umap(const comm::Comm& comm, const atlas::Run& run, const ClusterConfig& cluster,
                     const UmapConfig& config, std::uint64_t seed);

}  // namespace smeta::analysis
