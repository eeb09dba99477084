#pragma once

#include <cstdint>
#include <span>

#include "smeta/analysis/knn.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// Local scale of one point: membership of a neighbour at distance d is exp(-max(d - rho, 0) /
/// sigma).
struct LocalScale {
    double rho = 0;    ///< smallest distance above 0
    double sigma = 0;  ///< so that the memberships sum to log2(neighbours + 1)
};

/// umap-learn's smooth_knn_dist (McInnes et al. 2018, algorithm 3) for the distances to the other
/// points, ascending. `mean_distance` is the mean over all points and neighbours, the point itself
/// included with distance 0; it bounds sigma from below where rho is 0. Local.
LocalScale local_scale(std::span<const double> distances, double mean_distance);

/// The fuzzy simplicial set of the neighbour lists, a symmetric n x n matrix of weights in (0, 1]:
/// w + w' - w w' over the directed memberships, as scanpy's neighbors(method="umap") stores in
/// obsp["connectivities"]. Local.
core::CountsCsr connectivities(const NearestNeighbors& nearest);

/// The neighbour lists as an n x n matrix of distances (entries of 0 are kept), as
/// obsp["distances"]. Local.
core::CountsCsr distance_matrix(const NearestNeighbors& nearest);

}  // namespace smeta::analysis
