#include "smeta/analysis/lisi.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

#include "share_rows.hpp"

namespace smeta::analysis {
namespace {

constexpr int kBisections = 50;
constexpr double kTolerance = 1e-5;
constexpr double kUnderflow = 708;  // exp(-708) is about the smallest normal number

/// Buffers of one thread; rows of any length one after the other.
class LisiRow {
  public:
    Lisi operator()(std::span<const double> distances, std::span<const std::int32_t> labels,
                    double perplexity) {
        Lisi result;
        if (distances.empty()) return result;
        // Copied, so that Eigen's sums do not depend on the caller's alignment.
        distances_ = Eigen::Map<const Eigen::ArrayXd>(distances.data(),
                                                      static_cast<Eigen::Index>(distances.size()));
        result.beta = precision(std::log(perplexity));
        std::int32_t groups = 0;
        for (const auto label : labels) groups = std::max(groups, label + 1);
        share_.assign(groups, 0.0);
        for (std::size_t j = 0; j < labels.size(); ++j)
            share_[labels[j]] += weights_[static_cast<Eigen::Index>(j)];
        double squares = 0;
        for (const double s : share_) squares += s * s;
        const double total = sum_ * sum_;
        result.value = squares > 0 ? total / squares : 1;
        return result;
    }

  private:
    /// Entropy of the weights exp(-beta d), 0 where all of them underflow.
    double entropy(double beta) {
        // Eigen's exp stays above 0 where the true one underflows; beside select it would be
        // scalar.
        weights_ = (-beta * distances_).exp();
        weights_ = (beta * distances_ < kUnderflow).select(weights_, 0.0);
        sum_ = weights_.sum();
        if (!(sum_ > 0)) return 0;
        return std::log(sum_) + beta * (distances_ * weights_).sum() / sum_;
    }
    double precision(double target) {
        double beta = 1;
        double low = -std::numeric_limits<double>::infinity();
        double high = std::numeric_limits<double>::infinity();
        double excess = entropy(beta) - target;
        for (int step = 0; step < kBisections && std::abs(excess) > kTolerance; ++step) {
            if (excess > 0) {
                low = beta;
                beta = std::isinf(high) ? beta * 2 : (low + high) / 2;
            } else {
                high = beta;
                beta = std::isinf(low) ? beta / 2 : (low + high) / 2;
            }
            excess = entropy(beta) - target;
        }
        return beta;
    }

    Eigen::ArrayXd distances_;
    Eigen::ArrayXd weights_;
    double sum_ = 0;
    std::vector<double> share_;
};

/// Shortest paths from one node after the other; buffers of one thread.
class NearestNodes {
  public:
    NearestNodes(const core::CsrView& lengths, std::int32_t most)
        : lengths_(lengths),
          most_(most),
          known_(lengths.rows, std::numeric_limits<double>::infinity()) {}

    /// The nearest other nodes, nearest first.
    void search(std::int64_t from) {
        distances.clear();
        nodes.clear();
        heap_.clear();
        reach(0, static_cast<std::int32_t>(from));
        while (!heap_.empty()) {
            std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
            const auto [distance, node] = heap_.back();
            heap_.pop_back();
            if (distance > known_[node]) continue;  // reached on a shorter way before
            if (node != from) {
                distances.push_back(distance);
                nodes.push_back(node);
                if (static_cast<std::int32_t>(nodes.size()) == most_) break;
            }
            const auto columns = lengths_.row_indices(node);
            const auto values = lengths_.row_values(node);
            for (std::size_t e = 0; e < columns.size(); ++e)
                reach(distance + static_cast<double>(values[e]), columns[e]);
        }
        for (const auto node : touched_) known_[node] = std::numeric_limits<double>::infinity();
        touched_.clear();
    }

    std::vector<double> distances;
    std::vector<std::int32_t> nodes;

  private:
    struct Reached {
        double distance;
        std::int32_t node;
        auto operator<=>(const Reached&) const = default;
    };
    void reach(double distance, std::int32_t node) {
        if (!(distance < known_[node])) return;
        known_[node] = distance;
        touched_.push_back(node);
        heap_.push_back({distance, node});
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    }

    core::CsrView lengths_;
    std::int32_t most_;
    std::vector<double> known_;
    std::vector<std::int32_t> touched_;
    std::vector<Reached> heap_;
};

}  // namespace

Lisi lisi(std::span<const double> distances, std::span<const std::int32_t> labels,
          double perplexity) {
    return LisiRow()(distances, labels, perplexity);
}

std::vector<double> lisi(const NearestNeighbors& nearest, std::span<const std::int32_t> labels,
                         double perplexity) {
    const std::int64_t k = nearest.neighbors;
    std::vector<double> result(nearest.rows);
#pragma omp parallel num_threads(core::threads())
    {
        LisiRow row;
        std::vector<std::int32_t> own(k);
#pragma omp for schedule(static)
        for (std::int64_t r = 0; r < nearest.rows; ++r) {
            for (std::int64_t j = 0; j < k; ++j) own[j] = labels[nearest.indices[r * k + j]];
            result[r] = row(std::span(nearest.distances).subspan(r * k, k), own, perplexity).value;
        }
    }
    return result;
}

std::vector<double> neighbor_lisi(const comm::Comm& comm, const core::MatrixD& points,
                                  std::span<const std::int32_t> labels) {
    return detail::share_rows(comm, points.rows(), [&](comm::Range own) {
        return lisi(nearest_neighbors(points, own, kLisiNeighbors), labels);
    });
}

std::vector<double> graph_lisi(const comm::Comm& comm, const core::CsrView& lengths,
                               std::span<const std::int32_t> labels) {
    core::check(static_cast<std::int64_t>(labels.size()) == lengths.rows, "one label a node");
    return detail::share_rows(comm, lengths.rows, [&](comm::Range own) {
        std::vector<double> result(own.size(), 1.0);
#pragma omp parallel num_threads(core::threads())
        {
            NearestNodes nearest(lengths, kLisiNeighbors);
            LisiRow row;
            std::vector<std::int32_t> codes;
#pragma omp for schedule(dynamic, 64)
            for (std::int64_t r = 0; r < own.size(); ++r) {
                nearest.search(own.first + r);
                if (nearest.nodes.size() < static_cast<std::size_t>(kLisiNeighbors)) continue;
                codes.clear();
                for (const auto node : nearest.nodes) codes.push_back(labels[node]);
                result[r] = row(nearest.distances, codes, kLisiPerplexity).value;
            }
        }
        return result;
    });
}

}  // namespace smeta::analysis
