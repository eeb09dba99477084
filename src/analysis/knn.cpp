#include "smeta/analysis/knn.hpp"

#include <algorithm>
#include <span>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/spatial/knn.hpp"

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

    const spatial::PointIndex index(points);
    const auto width = static_cast<std::size_t>(points.cols());
#pragma omp parallel for schedule(dynamic, 64) num_threads(core::threads())
    for (std::int64_t r = 0; r < result.rows; ++r) {
        const std::int64_t self = queries.first + r;
        const auto found =
            index.nearest({points.data() + self * points.cols(), width}, result.neighbors, self);
        for (std::size_t j = 0; j < k; ++j) {
            result.indices[r * k + j] = found[j].row;
            result.distances[r * k + j] = found[j].distance;
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
