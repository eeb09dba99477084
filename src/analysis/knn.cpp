#include "smeta/analysis/knn.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/spatial/block_tree.hpp"

namespace smeta::analysis {
NearestNeighbors nearest_neighbors(const core::MatrixD& points, comm::Range queries,
                                   std::int32_t neighbors) {
    if (!points.allFinite())
        throw core::NumericError("neighbour search: a coordinate is not a finite number");
    const auto available = std::max<std::int64_t>(points.rows() - 1, 0);
    NearestNeighbors result;
    result.rows = queries.size();
    result.neighbors = static_cast<std::int32_t>(std::min<std::int64_t>(neighbors, available));
    const auto k = static_cast<std::size_t>(result.neighbors);
    result.indices.resize(result.rows * k);
    result.distances.resize(result.rows * k);
    if (k == 0 || result.rows == 0) return result;

    const spatial::BlockTree tree(points);
    std::vector<std::int64_t> order;  // of the leaves: consecutive queries meet the same points
    order.reserve(result.rows);
    for (const std::int64_t row : tree.order())
        if (row >= queries.first && row < queries.last) order.push_back(row);
    const auto width = static_cast<std::size_t>(points.cols());
#pragma omp parallel num_threads(core::threads())
    {
        std::vector<spatial::BlockTree::Found> found;
#pragma omp for schedule(dynamic, 64)
        for (std::size_t q = 0; q < order.size(); ++q) {
            const auto self = order[q];
            tree.nearest({points.data() + self * points.cols(), width}, result.neighbors,
                         static_cast<std::int32_t>(self), found);
            const auto first = static_cast<std::size_t>(self - queries.first) * k;
            for (std::size_t j = 0; j < k; ++j) {
                result.indices[first + j] = found[j].row;
                result.distances[first + j] = std::sqrt(found[j].squared);
            }
        }
    }
    return result;
}

NearestNeighbors gather_nearest_neighbors(const comm::Comm& comm, const core::MatrixD& points,
                                          std::int32_t neighbors) {
    NearestNeighbors mine;
    comm.all_or_throw([&] {
        mine = nearest_neighbors(points, comm::even_share(points.rows(), comm.size(), comm.rank()),
                                 neighbors);
    });
    const auto indices = comm.gather(std::span<const std::int64_t>(mine.indices));
    const auto distances = comm.gather(std::span<const double>(mine.distances));
    NearestNeighbors all;
    if (!comm.is_root()) return all;
    all.rows = points.rows();
    all.neighbors = mine.neighbors;
    for (const auto& part : indices)
        all.indices.insert(all.indices.end(), part.begin(), part.end());
    for (const auto& part : distances)
        all.distances.insert(all.distances.end(), part.begin(), part.end());
    return all;
}

}  // namespace smeta::analysis
