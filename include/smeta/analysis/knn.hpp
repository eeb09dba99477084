#pragma once

#include <cstdint>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// The `neighbors` nearest other points of each of `rows` points, nearest first, at equal distance
/// the lower index first.
struct NearestNeighbors {
    std::int64_t rows = 0;
    std::int32_t neighbors = 0;
    std::vector<std::int64_t> indices;  ///< rows x neighbors
    std::vector<double> distances;      ///< rows x neighbors, Euclidean
    double recall = 1;  ///< share of the nearest that are among them, measured on some points
};

/// Exact neighbours of points [queries.first, queries.last) among all `points` (n x d, finite), the
/// point itself left out. `neighbors` is cut to n - 1. A k-d tree on core::threads() threads; the
/// result does not depend on them. Local; throws NumericError on a coordinate that is not finite.
NearestNeighbors nearest_neighbors(const core::MatrixD& points, comm::Range queries,
                                   std::int32_t neighbors);

/// As above for all points: every rank holds all points and searches an even share; the root gets
/// the whole result, the others an empty one. With a `recall` below 1 (above 0) neighbours are
/// approximate: each point looks at the leaves of the tree that are nearest to its own, at as many
/// as give this recall on up to 4,096 points spread over the tree, whose exact neighbours are found
/// first. The same numbers on any number of ranks. Collective.
NearestNeighbors gather_nearest_neighbors(const comm::Comm& comm, const core::MatrixD& points,
                                          std::int32_t neighbors, double recall = 1);

}  // namespace smeta::analysis
