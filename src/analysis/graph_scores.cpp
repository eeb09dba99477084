#include "smeta/analysis/graph_scores.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "smeta/core/error.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::int32_t groups_of(std::span<const std::int32_t> labels) {
    return labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
}

/// Which nodes hang together.
class Components {
  public:
    explicit Components(std::int64_t nodes) : parent_(nodes) {
        std::iota(parent_.begin(), parent_.end(), std::int64_t{0});
    }
    std::int64_t root(std::int64_t node) {
        while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
        return node;
    }
    void join(std::int64_t a, std::int64_t b) {
        a = root(a);
        b = root(b);
        parent_[std::max(a, b)] = std::min(a, b);
    }

  private:
    std::vector<std::int64_t> parent_;
};

}  // namespace

std::vector<double> in_largest_part(const core::CsrView& graph,
                                    std::span<const std::int32_t> labels) {
    core::check(static_cast<std::int64_t>(labels.size()) == graph.rows, "one label a node");
    Components components(graph.rows);
    for (std::int64_t r = 0; r < graph.rows; ++r)
        for (const auto c : graph.row_indices(r))
            if (labels[c] == labels[r]) components.join(r, c);
    std::vector<std::int64_t> nodes(graph.rows, 0);  // of the part whose root it is
    for (std::int64_t r = 0; r < graph.rows; ++r) ++nodes[components.root(r)];
    std::vector<std::int64_t> largest(groups_of(labels), -1);  // its root
    for (std::int64_t r = 0; r < graph.rows; ++r) {
        auto& root = largest[labels[r]];
        if (root < 0 || nodes[r] > nodes[root]) root = r;
    }
    std::vector<double> result(graph.rows);
    for (std::int64_t r = 0; r < graph.rows; ++r)
        result[r] = components.root(r) == largest[labels[r]] ? 1 : 0;
    return result;
}

double batch_variance(const core::MatrixD& scores, std::span<const std::int32_t> batches) {
    core::check(static_cast<Eigen::Index>(batches.size()) == scores.rows(), "one batch a point");
    const auto groups = groups_of(batches);
    if (groups == 0 || scores.cols() == 0) return kNaN;
    core::MatrixD sums = core::MatrixD::Zero(groups, scores.cols());
    std::vector<double> size(groups, 0);
    for (Eigen::Index r = 0; r < scores.rows(); ++r) {
        sums.row(batches[r]) += scores.row(r);
        ++size[batches[r]];
    }
    const Eigen::RowVectorXd mean = sums.colwise().sum() / static_cast<double>(scores.rows());
    double total = 0;
    for (Eigen::Index r = 0; r < scores.rows(); ++r) total += (scores.row(r) - mean).squaredNorm();
    double between = 0;
    for (std::int32_t g = 0; g < groups; ++g)
        if (size[g] > 0) between += size[g] * (sums.row(g) / size[g] - mean).squaredNorm();
    return total > 0 ? between / total : kNaN;
}

}  // namespace smeta::analysis
