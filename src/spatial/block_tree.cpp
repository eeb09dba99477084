#include "smeta/spatial/block_tree.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "smeta/core/error.hpp"

namespace smeta::spatial {

namespace {

constexpr std::int32_t kLeafPoints = 48;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Distances to boxes and to points are rounded differently: what lies within the slack is visited,
// and the exact distance and row decide.
constexpr double kSlack = 1.0 + 1e-9;

}  // namespace

/// One query on its way through the tree; the heap has the worst on top.
struct BlockTree::Search {
    const double* query;
    std::size_t k;
    std::int32_t exclude;
    std::vector<Found>& heap;
    double worst = kInfinity;

    void offer(double squared, std::int32_t row) {
        if (row == exclude) return;
        const Found candidate{squared, row};
        if (heap.size() == k) {
            if (!(candidate < heap.front())) return;
            std::pop_heap(heap.begin(), heap.end());
            heap.back() = candidate;
        } else {
            heap.push_back(candidate);
        }
        std::push_heap(heap.begin(), heap.end());
        if (heap.size() == k) worst = heap.front().squared;
    }
};

BlockTree::BlockTree(const core::MatrixD& points) : width_(points.cols()), order_(points.rows()) {
    core::check(points.cols() >= 1, "points have a dimension");
    core::check(points.rows() < std::numeric_limits<std::int32_t>::max(),
                "fewer than 2^31 - 1 points in one tree");
    core::check(points.allFinite(), "coordinates are finite");
    std::iota(order_.begin(), order_.end(), 0);
    if (!order_.empty()) build(points, 0, static_cast<std::int32_t>(order_.size()));
}

std::int32_t BlockTree::build(const core::MatrixD& points, std::int32_t first, std::int32_t last) {
    const auto at = static_cast<std::int32_t>(nodes_.size());
    nodes_.push_back({.first = first, .last = last});
    Eigen::RowVectorXd low = points.row(order_[first]);
    Eigen::RowVectorXd high = low;
    for (auto i = first + 1; i < last; ++i) {
        low = low.cwiseMin(points.row(order_[i]));
        high = high.cwiseMax(points.row(order_[i]));
    }
    boxes_.insert(boxes_.end(), low.data(), low.data() + width_);
    boxes_.insert(boxes_.end(), high.data(), high.data() + width_);
    Eigen::Index widest = 0;
    const double extent = (high - low).maxCoeff(&widest);
    if (last - first <= kLeafPoints || extent == 0) {
        fill_leaf(points, nodes_[at]);
        return at;
    }
    const auto middle = first + (last - first) / 2;
    std::nth_element(order_.begin() + first, order_.begin() + middle, order_.begin() + last,
                     [&](std::int32_t a, std::int32_t b) {
                         const double x = points(a, widest);
                         const double y = points(b, widest);
                         return x != y ? x < y : a < b;
                     });
    const auto left = build(points, first, middle);
    const auto right = build(points, middle, last);
    nodes_[at].left = left;
    nodes_[at].right = right;
    return at;
}

void BlockTree::fill_leaf(const core::MatrixD& points, Node& node) {
    std::sort(order_.begin() + node.first, order_.begin() + node.last);
    const std::int64_t size = width_ * kLanes;
    node.block = static_cast<std::int64_t>(blocks_.size()) / size;
    const std::int64_t blocks = (node.last - node.first + kLanes - 1) / kLanes;
    blocks_.resize(blocks_.size() + blocks * size, std::numeric_limits<double>::quiet_NaN());
    for (auto i = node.first; i < node.last; ++i) {
        const std::int64_t place = i - node.first;
        double* block = blocks_.data() + (node.block + place / kLanes) * size;
        for (std::int64_t d = 0; d < width_; ++d)
            block[d * kLanes + place % kLanes] = points(order_[i], d);
    }
}

double BlockTree::box_distance(std::int32_t node, const double* query) const {
    const Eigen::Map<const Eigen::ArrayXd> q(query, width_);
    const double* box = boxes_.data() + static_cast<std::int64_t>(node) * 2 * width_;
    const Eigen::Map<const Eigen::ArrayXd> low(box, width_);
    const Eigen::Map<const Eigen::ArrayXd> high(box + width_, width_);
    return (low - q).max(q - high).max(0.0).square().sum();
}

void BlockTree::scan(const Node& leaf, Search& search) const {
    using Lanes = Eigen::Array<double, kLanes, 1>;
    const double* block = blocks_.data() + leaf.block * width_ * kLanes;
    for (auto first = leaf.first; first < leaf.last; first += kLanes) {
        Lanes squared = Lanes::Zero();
        for (std::int64_t d = 0; d < width_; ++d, block += kLanes)
            squared += (Eigen::Map<const Lanes>(block) - search.query[d]).square();
        if (!(squared <= search.worst).any()) continue;
        for (std::int64_t l = 0; l < kLanes; ++l)
            if (squared[l] <= search.worst) search.offer(squared[l], order_[first + l]);
    }
}

void BlockTree::visit(std::int32_t at, Search& search) const {
    const Node& node = nodes_[at];
    if (node.left < 0) {
        scan(node, search);
        return;
    }
    std::int32_t near = node.left;
    std::int32_t far = node.right;
    double to_near = box_distance(near, search.query);
    double to_far = box_distance(far, search.query);
    if (to_far < to_near) {
        std::swap(near, far);
        std::swap(to_near, to_far);
    }
    if (to_near <= search.worst * kSlack) visit(near, search);
    if (to_far <= search.worst * kSlack) visit(far, search);
}

void BlockTree::nearest(std::span<const double> query, std::int64_t k, std::int32_t exclude,
                        std::vector<Found>& found) const {
    core::check(static_cast<std::int64_t>(query.size()) == width_,
                "a query has the dimension of the points");
    found.clear();
    if (k <= 0 || order_.empty()) return;
    Search search{query.data(), static_cast<std::size_t>(k), exclude, found};
    visit(0, search);
    std::sort_heap(found.begin(), found.end());
}

}  // namespace smeta::spatial
