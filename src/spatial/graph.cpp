#include "smeta/spatial/graph.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "smeta/core/error.hpp"
#include "smeta/spatial/knn.hpp"

namespace smeta::spatial {

namespace {

// Spots by array position, for look-up by binary search.
struct Occupied {
    using Key = std::pair<std::int64_t, std::int64_t>;
    std::vector<std::pair<Key, std::int64_t>> spots;

    explicit Occupied(const ArrayPositions& positions) {
        core::check(positions.row.size() == positions.column.size(),
                    "array rows and columns have equal length");
        for (std::size_t i = 0; i < positions.row.size(); ++i)
            spots.emplace_back(Key{positions.row[i], positions.column[i]}, i);
        std::sort(spots.begin(), spots.end());
    }
    bool distinct() const {
        return std::adjacent_find(spots.begin(), spots.end(), [](const auto& a, const auto& b) {
                   return a.first == b.first;
               }) == spots.end();
    }
    // The spot at a position or -1.
    std::int64_t at(std::int64_t row, std::int64_t column) const {
        const Key key{row, column};
        const auto found =
            std::lower_bound(spots.begin(), spots.end(), key,
                             [](const auto& a, const Key& b) { return a.first < b; });
        return found != spots.end() && found->first == key ? found->second : -1;
    }
};

}  // namespace

bool is_hexagonal(const ArrayPositions& positions) {
    const Occupied occupied(positions);
    if (occupied.spots.empty() || !occupied.distinct()) return false;
    const auto parity = [&](std::size_t i) {
        return static_cast<std::uint64_t>(positions.row[i] + positions.column[i]) & 1U;
    };
    for (std::size_t i = 1; i < positions.row.size(); ++i)
        if (parity(i) != parity(0)) return false;
    return true;
}

SpatialGraph hexagonal_graph(const ArrayPositions& positions) {
    constexpr std::array<std::pair<int, int>, 6> kSteps{
        {{0, -2}, {0, 2}, {-1, -1}, {-1, 1}, {1, -1}, {1, 1}}};
    const Occupied occupied(positions);
    core::check(occupied.distinct(), "array positions are distinct");
    SpatialGraph graph;
    graph.rows = static_cast<std::int64_t>(positions.row.size());
    for (std::int64_t i = 0; i < graph.rows; ++i) {
        const auto first = static_cast<std::ptrdiff_t>(graph.columns.size());
        for (const auto& [down, right] : kSteps) {
            const std::int64_t j =
                occupied.at(positions.row[i] + down, positions.column[i] + right);
            if (j >= 0) graph.columns.push_back(j);
        }
        std::sort(graph.columns.begin() + first, graph.columns.end());
        graph.indptr.push_back(static_cast<std::int64_t>(graph.columns.size()));
    }
    graph.weights.assign(graph.columns.size(), 1.0);
    return graph;
}

SpatialGraph nearest_neighbour_graph(const Eigen::Ref<const core::MatrixD>& points,
                                     std::int64_t k) {
    const KnnGraph knn = nearest_neighbours(points, k);
    SpatialGraph graph;
    graph.rows = knn.rows;
    graph.indptr.assign(knn.rows + 1, 0);
    for (const std::int64_t target : knn.neighbours) ++graph.indptr[target + 1];
    std::partial_sum(graph.indptr.begin(), graph.indptr.end(), graph.indptr.begin());
    graph.columns.resize(knn.neighbours.size());
    graph.weights.assign(knn.neighbours.size(), 1.0);
    std::vector<std::int64_t> next(graph.indptr.begin(), graph.indptr.end() - 1);
    // Sources ascend, so the columns of every row do.
    for (std::int64_t source = 0; source < knn.rows; ++source)
        for (const std::int64_t target : knn.row_neighbours(source))
            graph.columns[next[target]++] = source;
    return graph;
}

void normalise_rows(SpatialGraph& graph) {
    for (std::int64_t row = 0; row < graph.rows; ++row) {
        double sum = 0.0;
        for (const double weight : graph.row_weights(row)) sum += weight;
        if (!(sum > 0.0)) continue;
        for (std::int64_t e = graph.indptr[row]; e < graph.indptr[row + 1]; ++e)
            graph.weights[e] /= sum;
    }
}

SpatialGraph spatial_graph(const Eigen::Ref<const core::MatrixD>& points,
                           const std::optional<ArrayPositions>& positions) {
    SpatialGraph graph;
    if (positions && is_hexagonal(*positions)) {
        core::check(static_cast<Eigen::Index>(positions->row.size()) == points.rows(),
                    "an array position for every point");
        graph = hexagonal_graph(*positions);
    }
    if (graph.columns.empty()) graph = nearest_neighbour_graph(points);
    normalise_rows(graph);
    return graph;
}

}  // namespace smeta::spatial
