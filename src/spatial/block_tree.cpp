#include "smeta/spatial/block_tree.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::spatial {

namespace {

/// Subtrees above this size are built by tasks of their own.
constexpr std::int32_t kTaskPoints = 8192;

/// Leaves but the last are full, so that no vector is half empty.
std::int32_t middle_of(std::int32_t first, std::int32_t last, std::int32_t leaf) {
    const auto leaves = (last - first + leaf - 1) / leaf;
    return first + leaves / 2 * leaf;
}

}  // namespace

BlockTree::BlockTree(const core::MatrixD& points) : width_(points.cols()), order_(points.rows()) {
    core::check(points.cols() >= 1, "points have a dimension");
    core::check(points.rows() < std::numeric_limits<std::int32_t>::max(),
                "fewer than 2^31 - 1 points in one tree");
    core::check(points.allFinite(), "coordinates are finite");
    if (order_.empty()) return;
    std::iota(order_.begin(), order_.end(), 0);
    // Halves first, so that the largest numbers do not overflow.
    const Eigen::RowVectorXd half_low = points.colwise().minCoeff() / 2;
    const Eigen::RowVectorXd half_high = points.colwise().maxCoeff() / 2;
    centre_ = half_low + half_high;
    const double extent = (half_high - half_low).maxCoeff();
    if (extent > 0) scale_ = std::ldexp(1.0, std::clamp(-std::ilogb(extent) - 1, -1022, 1023));
    nodes_.resize(2 * leaves() - 1);
    boxes_.resize(nodes_.size() * 2 * static_cast<std::size_t>(width_));
    values_.setZero(leaves() * kLeafPoints * width_);
    points_.resize(points.rows(), width_);
    std::vector<Key> keys(order_.size());
#pragma omp parallel num_threads(core::threads())
#pragma omp single
    build(points, 0, 0, static_cast<std::int32_t>(order_.size()), keys);
}

void BlockTree::build(const core::MatrixD& points, std::int32_t at, std::int32_t first,
                      std::int32_t last, std::vector<Key>& keys) {
    nodes_[at] = {first, last, 0};
    if (last - first <= kLeafPoints) {
        fill_leaf(points, at, first, last);
        return;
    }
    Eigen::RowVectorXd low = points.row(order_[first]);
    Eigen::RowVectorXd high = low;
    for (auto i = first + 1; i < last; ++i) {
        low = low.cwiseMin(points.row(order_[i]));
        high = high.cwiseMax(points.row(order_[i]));
    }
    Eigen::Index widest = 0;
    (high / 2 - low / 2).maxCoeff(&widest);
    const auto middle = middle_of(first, last, kLeafPoints);
    for (auto i = first; i < last; ++i) keys[i] = {points(order_[i], widest), order_[i]};
    std::nth_element(keys.begin() + first, keys.begin() + middle, keys.begin() + last,
                     [](const Key& a, const Key& b) {
                         return a.value != b.value ? a.value < b.value : a.row < b.row;
                     });
    for (auto i = first; i < last; ++i) order_[i] = keys[i].row;
    const auto left = at + 1;
    const auto right = left + 2 * ((middle - first) / kLeafPoints) - 1;
    nodes_[at].right = right;
#pragma omp task if (last - first > kTaskPoints) shared(points, keys)
    build(points, left, first, middle, keys);
    build(points, right, middle, last, keys);
#pragma omp taskwait
    const auto* a = low_of(left);
    const auto* b = low_of(right);
    float* box = boxes_.data() + static_cast<std::int64_t>(at) * 2 * width_;
    for (std::int64_t d = 0; d < width_; ++d) {
        box[d] = std::min(a[d], b[d]);
        box[width_ + d] = std::max(a[width_ + d], b[width_ + d]);
    }
}

void BlockTree::fill_leaf(const core::MatrixD& points, std::int32_t at, std::int32_t first,
                          std::int32_t last) {
    std::sort(order_.begin() + first, order_.begin() + last);
    for (auto i = first; i < last; ++i) points_.row(i) = points.row(order_[i]);
    float* values = values_.data() + static_cast<std::int64_t>(first) * width_;
    float* box = boxes_.data() + static_cast<std::int64_t>(at) * 2 * width_;
    for (std::int64_t d = 0; d < width_; ++d) {
        float* row = values + d * kLeafPoints;
        for (auto i = first; i < last; ++i)
            row[i - first] = static_cast<float>((points_(i, d) - centre_[d]) * scale_);
        box[d] = *std::min_element(row, row + (last - first));
        box[width_ + d] = *std::max_element(row, row + (last - first));
    }
}

}  // namespace smeta::spatial
