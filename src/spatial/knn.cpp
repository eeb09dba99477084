#include "smeta/spatial/knn.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nanoflann.hpp>

#include "smeta/core/error.hpp"

namespace smeta::spatial {

namespace {

// nanoflann prunes on incrementally updated squared distances and compares leaves with "<": a
// little slack lets every tie through, and the result sets below decide with the exact squared
// distance and the row.
constexpr double kSlack = 1.0 + 1e-9;

struct Candidate {
    double squared = 0.0;
    std::int64_t row = 0;
    bool operator<(const Candidate& other) const {
        return squared != other.squared ? squared < other.squared : row < other.row;
    }
};

// The k best candidates as a heap with the worst on top.
class NearestSet {
  public:
    using DistanceType = double;
    using IndexType = std::uint32_t;
    NearestSet(std::int64_t k, std::int64_t exclude)
        : k_(static_cast<std::size_t>(k)), exclude_(exclude) {
        heap_.reserve(k_ + 1);
    }
    std::size_t size() const { return heap_.size(); }
    bool empty() const { return heap_.empty(); }
    bool full() const { return heap_.size() == k_; }
    double worstDist() const {  // NOLINT: nanoflann's name
        if (heap_.size() < k_) return std::numeric_limits<double>::infinity();
        return std::nextafter(heap_.front().squared * kSlack,
                              std::numeric_limits<double>::infinity());
    }
    bool addPoint(double squared, std::uint32_t row) {  // NOLINT: nanoflann's name
        const Candidate candidate{squared, row};
        if (candidate.row == exclude_) return true;
        if (heap_.size() == k_) {
            if (!(candidate < heap_.front())) return true;
            std::pop_heap(heap_.begin(), heap_.end());
            heap_.pop_back();
        }
        heap_.push_back(candidate);
        std::push_heap(heap_.begin(), heap_.end());
        return true;
    }
    void sort() { std::sort_heap(heap_.begin(), heap_.end()); }
    const std::vector<Candidate>& candidates() const { return heap_; }

  private:
    std::size_t k_;
    std::int64_t exclude_;
    std::vector<Candidate> heap_;
};

class RadiusSet {
  public:
    using DistanceType = double;
    using IndexType = std::uint32_t;
    explicit RadiusSet(double radius)
        : radius_(radius),
          bound_(
              std::nextafter(radius * radius * kSlack, std::numeric_limits<double>::infinity())) {}
    std::size_t size() const { return found_.size(); }
    bool empty() const { return found_.empty(); }
    bool full() const { return true; }
    double worstDist() const { return bound_; }         // NOLINT: nanoflann's name
    bool addPoint(double squared, std::uint32_t row) {  // NOLINT: nanoflann's name
        if (std::sqrt(squared) <= radius_) found_.push_back({squared, row});
        return true;
    }
    void sort() { std::sort(found_.begin(), found_.end()); }
    const std::vector<Candidate>& candidates() const { return found_; }

  private:
    double radius_;
    double bound_;
    std::vector<Candidate> found_;
};

std::vector<Neighbour> as_neighbours(const std::vector<Candidate>& candidates) {
    std::vector<Neighbour> result;
    result.reserve(candidates.size());
    for (const Candidate& candidate : candidates)
        result.push_back({candidate.row, std::sqrt(candidate.squared)});
    return result;
}

}  // namespace

struct PointIndex::Tree {
    struct Points {
        core::MatrixD values;
        std::size_t kdtree_get_point_count() const { return values.rows(); }
        double kdtree_get_pt(std::size_t row, std::size_t dimension) const {
            return values(static_cast<Eigen::Index>(row), static_cast<Eigen::Index>(dimension));
        }
        template <class Box>
        bool kdtree_get_bbox(Box& /*box*/) const {
            return false;
        }
    };
    using Index = nanoflann::KDTreeSingleIndexAdaptor<
        nanoflann::L2_Simple_Adaptor<double, Points, double, std::uint32_t>, Points, -1,
        std::uint32_t>;

    explicit Tree(const Eigen::Ref<const core::MatrixD>& values)
        : points{values}, index(static_cast<std::int32_t>(values.cols()), points) {}

    Points points;
    Index index;
};

PointIndex::PointIndex(const Eigen::Ref<const core::MatrixD>& points) {
    core::check(points.cols() >= 1, "points have a dimension");
    core::check(points.rows() < std::numeric_limits<std::uint32_t>::max(),
                "fewer than 2^32 - 1 points in one index");
    for (Eigen::Index r = 0; r < points.rows(); ++r)
        if (!points.row(r).array().isFinite().all())
            throw core::NumericError(fmt::format("coordinate of point {} is not finite", r));
    tree_ = std::make_unique<Tree>(points);
}

PointIndex::~PointIndex() = default;
PointIndex::PointIndex(PointIndex&&) noexcept = default;
PointIndex& PointIndex::operator=(PointIndex&&) noexcept = default;

std::int64_t PointIndex::rows() const {
    return tree_->points.values.rows();
}

std::vector<Neighbour> PointIndex::nearest(std::span<const double> query, std::int64_t k,
                                           std::int64_t exclude) const {
    core::check(static_cast<Eigen::Index>(query.size()) == tree_->points.values.cols(),
                "a query has the dimension of the points");
    const std::int64_t available = rows() - (exclude >= 0 && exclude < rows() ? 1 : 0);
    k = std::min(k, available);
    if (k <= 0) return {};
    NearestSet found(k, exclude);
    tree_->index.findNeighbors(found, query.data(), {});
    found.sort();
    return as_neighbours(found.candidates());
}

std::vector<Neighbour> PointIndex::within(std::span<const double> query, double radius) const {
    core::check(static_cast<Eigen::Index>(query.size()) == tree_->points.values.cols(),
                "a query has the dimension of the points");
    if (rows() == 0 || !(radius >= 0.0)) return {};
    RadiusSet found(radius);
    tree_->index.findNeighbors(found, query.data(), {});
    found.sort();
    return as_neighbours(found.candidates());
}

namespace {

enum class Self { Exclude, Include };

KnnGraph search_all(const PointIndex& points, const Eigen::Ref<const core::MatrixD>& queries,
                    std::int64_t k, Self self) {
    const std::int64_t available = points.rows() - (self == Self::Exclude ? 1 : 0);
    KnnGraph graph;
    graph.rows = queries.rows();
    graph.k = std::max<std::int64_t>(0, std::min(k, available));
    graph.neighbours.resize(graph.rows * graph.k);
    graph.distances.resize(graph.rows * graph.k);
    const core::MatrixD contiguous = queries;
#pragma omp parallel for schedule(dynamic, 256)
    for (std::int64_t row = 0; row < graph.rows; ++row) {
        const std::span<const double> query(contiguous.row(row).data(), contiguous.cols());
        const auto found = points.nearest(query, graph.k, self == Self::Exclude ? row : -1);
        for (std::int64_t i = 0; i < graph.k; ++i) {
            graph.neighbours[row * graph.k + i] = found[i].row;
            graph.distances[row * graph.k + i] = found[i].distance;
        }
    }
    return graph;
}

}  // namespace

KnnGraph nearest_neighbours(const Eigen::Ref<const core::MatrixD>& points, std::int64_t k) {
    return search_all(PointIndex(points), points, k, Self::Exclude);
}

KnnGraph nearest_points(const PointIndex& points, const Eigen::Ref<const core::MatrixD>& queries,
                        std::int64_t k) {
    for (Eigen::Index r = 0; r < queries.rows(); ++r)
        if (!queries.row(r).array().isFinite().all())
            throw core::NumericError(fmt::format("coordinate of query {} is not finite", r));
    return search_all(points, queries, k, Self::Include);
}

double minimum_distance(const Eigen::Ref<const core::MatrixD>& points) {
    if (points.rows() < 2) return std::numeric_limits<double>::quiet_NaN();
    const KnnGraph graph = nearest_neighbours(points, 1);
    return *std::min_element(graph.distances.begin(), graph.distances.end());
}

}  // namespace smeta::spatial
