#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/analysis/knn.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

inline constexpr double kLisiPerplexity = 30;
inline constexpr std::int32_t kLisiNeighbors = 90;

/// Local inverse Simpson's index of one neighbour list (Korsunsky et al. 2019, supplement).
struct Lisi {
    double beta = 1;   ///< precision of the weights exp(-beta d): their entropy is log(perplexity)
    double value = 1;  ///< 1 / sum over labels of the squared weight share: 1 (one label) ...
                       ///< labels (all alike)
};

/// `labels` are those of the neighbours, from 0. beta by bisection from 1, tolerance 1e-5 and at
/// most 50 steps, as LISI, harmony and scib do. Local.
Lisi lisi(std::span<const double> distances, std::span<const std::int32_t> labels,
          double perplexity = kLisiPerplexity);

/// LISI of every point from its neighbour list; `labels` has one entry a point. Local.
std::vector<double> lisi(const NearestNeighbors& nearest, std::span<const std::int32_t> labels,
                         double perplexity = kLisiPerplexity);

/// LISI of every point over its 90 nearest other points (fewer where there are not so many), exact
/// Euclidean neighbours, perplexity 30. Rows shared over ranks, every rank gets all; the same
/// numbers on any number of ranks. Collective.
std::vector<double> neighbor_lisi(const comm::Comm& comm, const core::MatrixD& points,
                                  std::span<const std::int32_t> labels);

/// LISI of every node over the 90 nearest other nodes of a graph, perplexity 30: a path is as long
/// as its edges' weights together, equal lengths by the lower node (scib's lisi_graph, which takes
/// UMAP's connectivities as lengths). 1 for a node that reaches fewer than 90. `lengths`:
/// symmetric, n x n, no negative entry. As above. Collective.
std::vector<double> graph_lisi(const comm::Comm& comm, const core::CsrView& lengths,
                               std::span<const std::int32_t> labels);

}  // namespace smeta::analysis
