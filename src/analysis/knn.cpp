#include "smeta/analysis/knn.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/spatial/block_tree.hpp"

namespace smeta::analysis {
namespace {

using spatial::BlockTree;

/// Positions in the tree's order of the rows of a range, cut into what is searched for at once.
struct Batches {
    std::vector<std::int32_t> positions;
    std::vector<std::int64_t> first{0};  ///< of each batch; one more entry

    Batches(const BlockTree& tree, comm::Range rows, std::int64_t leaves) {
        const auto& order = tree.order();
        for (std::int32_t p = 0; p < tree.rows(); ++p) {
            if (order[p] < rows.first || order[p] >= rows.last) continue;
            const auto begun = std::ssize(positions) - first.back();
            // A limited search looks at leaves near that of its first point.
            const bool other_leaf = begun > 0 && positions.back() / BlockTree::kLeafPoints !=
                                                     p / BlockTree::kLeafPoints;
            if (begun == BlockTree::Search::kQueries ||
                (other_leaf && leaves != BlockTree::Search::kEveryLeaf))
                first.push_back(std::ssize(positions));
            positions.push_back(p);
        }
        if (!positions.empty()) first.push_back(std::ssize(positions));
    }
    std::int64_t count() const { return std::ssize(first) - 1; }
    std::span<const std::int32_t> operator[](std::int64_t batch) const {
        return std::span(positions).subspan(first[batch], first[batch + 1] - first[batch]);
    }
};

void check_finite(const core::MatrixD& points) {
    if (!points.allFinite())
        throw core::NumericError("neighbour search: a coordinate is not a finite number");
}

std::int32_t most_neighbors(const core::MatrixD& points, std::int32_t neighbors) {
    return static_cast<std::int32_t>(
        std::min<std::int64_t>(neighbors, std::max<std::int64_t>(points.rows() - 1, 0)));
}

/// Neighbours of a range of rows in so many leaves, which hold more than `neighbors` points.
NearestNeighbors search_tree(const BlockTree& tree, comm::Range rows, std::int32_t neighbors,
                             std::int64_t leaves) {
    NearestNeighbors result;
    result.rows = rows.size();
    result.neighbors = neighbors;
    const auto k = static_cast<std::size_t>(neighbors);
    result.indices.resize(result.rows * k);
    result.distances.resize(result.rows * k);
    if (k == 0) return result;
    const Batches batches(tree, rows, leaves);
#pragma omp parallel num_threads(core::threads())
    {
        BlockTree::Search search(tree, neighbors, leaves);
#pragma omp for schedule(dynamic)
        for (std::int64_t b = 0; b < batches.count(); ++b) {
            const auto batch = batches[b];
            search.find(batch);
            for (std::size_t q = 0; q < batch.size(); ++q) {
                const auto found = search.found(q);
                const auto at = static_cast<std::size_t>(tree.order()[batch[q]] - rows.first) * k;
                for (std::size_t j = 0; j < k; ++j) {
                    result.indices[at + j] = found[j].row;
                    result.distances[at + j] = std::sqrt(found[j].squared);
                }
            }
        }
    }
    return result;
}

/// Points spread over the tree, which are searched for exactly and with fewer leaves.
class RecallSample {
  public:
    RecallSample(const BlockTree& tree, std::int32_t neighbors)
        : tree_(tree), neighbors_(neighbors) {
        constexpr std::int64_t kLeaves = 256;
        const auto count = std::min(tree.leaves(), kLeaves);
        for (std::int64_t i = 0; i < count; ++i) leaves_.push_back(i * tree.leaves() / count);
        exact_ = found_in(BlockTree::Search::kEveryLeaf);
    }

    /// Share of the exact neighbours that so many leaves have.
    double recall(std::int64_t leaves) const {
        const auto found = found_in(leaves);
        std::int64_t hits = 0;
        std::int64_t all = 0;
        for (std::size_t s = 0; s < exact_.size(); ++s) {
            std::vector<std::int64_t> common;
            std::set_intersection(exact_[s].begin(), exact_[s].end(), found[s].begin(),
                                  found[s].end(), std::back_inserter(common));
            hits += std::ssize(common);
            all += std::ssize(exact_[s]);
        }
        return static_cast<double>(hits) / static_cast<double>(all);
    }

  private:
    static constexpr std::int64_t kStep = 4;  // every fourth point of a leaf

    /// Of each leaf of the sample: (position, neighbour) as one number, ascending.
    std::vector<std::vector<std::int64_t>> found_in(std::int64_t most) const {
        std::vector<std::vector<std::int64_t>> result(leaves_.size());
#pragma omp parallel num_threads(core::threads())
        {
            BlockTree::Search search(tree_, neighbors_, most);
            std::vector<std::int32_t> positions;
#pragma omp for schedule(dynamic)
            for (std::size_t s = 0; s < leaves_.size(); ++s) {
                const auto first = leaves_[s] * BlockTree::kLeafPoints;
                const auto last = std::min(first + BlockTree::kLeafPoints, tree_.rows());
                positions.clear();
                for (auto p = first; p < last; p += kStep)
                    positions.push_back(static_cast<std::int32_t>(p));
                search.find(positions);
                for (std::size_t q = 0; q < positions.size(); ++q)
                    for (const auto& near : search.found(q))
                        result[s].push_back(positions[q] * tree_.rows() + near.row);
                std::sort(result[s].begin(), result[s].end());
            }
        }
        return result;
    }

    const BlockTree& tree_;
    std::int32_t neighbors_;
    std::vector<std::int64_t> leaves_;
    std::vector<std::vector<std::int64_t>> exact_;
};

/// How many leaves to look at, and what that gives.
struct Effort {
    std::int64_t leaves = BlockTree::Search::kEveryLeaf;
    double recall = 1;
};

Effort effort_for(const BlockTree& tree, std::int32_t neighbors, double recall) {
    if (recall >= 1 || neighbors == 0) return {};
    const RecallSample sample(tree, neighbors);
    // So many hold more than `neighbors` points even if one of them is the last, half empty one.
    for (std::int64_t leaves = neighbors / BlockTree::kLeafPoints + 2; leaves < tree.leaves();
         leaves += (leaves + 1) / 2)
        if (const double found = sample.recall(leaves); found >= recall) return {leaves, found};
    return {};
}

}  // namespace

NearestNeighbors nearest_neighbors(const core::MatrixD& points, comm::Range queries,
                                   std::int32_t neighbors) {
    check_finite(points);
    return search_tree(BlockTree(points), queries, most_neighbors(points, neighbors),
                       BlockTree::Search::kEveryLeaf);
}

NearestNeighbors gather_nearest_neighbors(const comm::Comm& comm, const core::MatrixD& points,
                                          std::int32_t neighbors, double recall) {
    NearestNeighbors mine;
    comm.all_or_throw([&] {
        check_finite(points);
        const BlockTree tree(points);
        const auto most = most_neighbors(points, neighbors);
        const auto effort = effort_for(tree, most, recall);
        mine = search_tree(tree, comm::even_share(points.rows(), comm.size(), comm.rank()), most,
                           effort.leaves);
        mine.recall = effort.recall;
    });
    const auto indices = comm.gather(std::span<const std::int64_t>(mine.indices));
    const auto distances = comm.gather(std::span<const double>(mine.distances));
    NearestNeighbors all;
    if (!comm.is_root()) return all;
    all.rows = points.rows();
    all.neighbors = mine.neighbors;
    all.recall = mine.recall;
    for (const auto& part : indices)
        all.indices.insert(all.indices.end(), part.begin(), part.end());
    for (const auto& part : distances)
        all.distances.insert(all.distances.end(), part.begin(), part.end());
    return all;
}

}  // namespace smeta::analysis
