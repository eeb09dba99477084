#include "smeta/analysis/knn.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <nanoflann.hpp>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::analysis {
namespace {

constexpr std::size_t kLeafSize = 16;

/// The points as nanoflann wants them, together with the distance between a query and a point.
struct PointCloud {
    const core::MatrixD& points;
    std::size_t kdtree_get_point_count() const { return static_cast<std::size_t>(points.rows()); }
    double kdtree_get_pt(std::int64_t row, std::size_t column) const {
        return points(row, static_cast<Eigen::Index>(column));
    }
    template <class Box>
    bool kdtree_get_bbox(Box&) const {
        return false;
    }
};

struct SquaredEuclidean {
    using ElementType = double;
    using DistanceType = double;
    const PointCloud& cloud;
    explicit SquaredEuclidean(const PointCloud& source) : cloud(source) {}

    double evalMetric(const double* a, std::int64_t row, std::size_t size) const {
        const double* b = cloud.points.data() + row * cloud.points.cols();
        double sum = 0;
        for (std::size_t c = 0; c < size; ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
        return sum;
    }
    double accum_dist(double a, double b, std::size_t) const { return (a - b) * (a - b); }
};

struct Candidate {
    double squared_distance;
    std::int64_t index;
    bool operator<(const Candidate& other) const {
        return squared_distance != other.squared_distance
                   ? squared_distance < other.squared_distance
                   : index < other.index;
    }
};

/// The best candidates so far, sorted. Its bound lies a little above the worst of them, so that the
/// tree also offers points at exactly that distance and rounding in its pruning loses none.
class BestCandidates {
  public:
    using DistanceType = double;
    BestCandidates(std::size_t capacity, std::int64_t self) : capacity_(capacity), self_(self) {
        best_.reserve(capacity + 1);
    }
    std::size_t size() const { return best_.size(); }
    bool full() const { return best_.size() == capacity_; }
    double worstDist() const {
        constexpr double kSlack = 1 + 1e-12;
        if (!full()) return std::numeric_limits<double>::infinity();
        return best_.back().squared_distance * kSlack + std::numeric_limits<double>::min();
    }
    bool addPoint(double squared_distance, std::int64_t index) {
        if (index == self_) return true;
        const Candidate candidate{squared_distance, index};
        if (full() && !(candidate < best_.back())) return true;
        best_.insert(std::upper_bound(best_.begin(), best_.end(), candidate), candidate);
        if (best_.size() > capacity_) best_.pop_back();
        return true;
    }
    std::span<const Candidate> sorted() const { return best_; }

  private:
    std::size_t capacity_;
    std::int64_t self_;
    std::vector<Candidate> best_;
};

using Tree = nanoflann::KDTreeSingleIndexAdaptor<SquaredEuclidean, PointCloud, -1, std::int64_t>;

}  // namespace

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

    const PointCloud cloud{points};
    Tree tree(static_cast<Tree::Dimension>(points.cols()), cloud,
              nanoflann::KDTreeSingleIndexAdaptorParams(kLeafSize));
    tree.buildIndex();
#pragma omp parallel for schedule(dynamic, 64) num_threads(core::threads())
    for (std::int64_t r = 0; r < result.rows; ++r) {
        const std::int64_t self = queries.first + r;
        BestCandidates best(k, self);
        tree.findNeighbors(best, points.data() + self * points.cols(), nanoflann::SearchParams());
        for (std::size_t j = 0; j < k; ++j) {
            result.indices[r * k + j] = best.sorted()[j].index;
            result.distances[r * k + j] = std::sqrt(best.sorted()[j].squared_distance);
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
