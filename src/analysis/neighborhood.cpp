#include "neighborhood.hpp"

#include <algorithm>

#include "share_rows.hpp"

namespace smeta::analysis::detail {
namespace {

constexpr std::int32_t kGraphNeighbors = 14;

/// Columns [0, count) of rows of `width` values.
template <class T>
std::vector<T> leading(const std::vector<T>& values, std::int64_t rows, std::int32_t width,
                       std::int32_t count) {
    std::vector<T> result;
    result.reserve(rows * count);
    for (std::int64_t r = 0; r < rows; ++r)
        result.insert(result.end(), values.begin() + r * width, values.begin() + r * width + count);
    return result;
}

}  // namespace

Neighborhood::Neighborhood(const comm::Comm& comm, const core::MatrixD& points)
    : comm_(comm), rows_(points.rows()) {
    comm.all_or_throw([&] {
        own_ = nearest_neighbors(points, comm::even_share(rows_, comm.size(), comm.rank()),
                                 kLisiNeighbors);
    });
}

NearestNeighbors Neighborhood::first(std::int32_t count) const {
    NearestNeighbors result;
    result.rows = rows_;
    result.neighbors = std::min(count, own_.neighbors);
    result.indices = share_rows(comm_, rows_, [&](comm::Range) {
        return leading(own_.indices, own_.rows, own_.neighbors, result.neighbors);
    });
    result.distances = share_rows(comm_, rows_, [&](comm::Range) {
        return leading(own_.distances, own_.rows, own_.neighbors, result.neighbors);
    });
    return result;
}

core::CountsCsr Neighborhood::graph() const {
    return connectivities(first(kGraphNeighbors));
}

std::vector<double> Neighborhood::lisi(std::span<const std::int32_t> labels) const {
    return share_rows(comm_, rows_,
                      [&](comm::Range) { return analysis::lisi(own_, labels, kLisiPerplexity); });
}

}  // namespace smeta::analysis::detail
