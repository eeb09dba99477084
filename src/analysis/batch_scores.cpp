#include "smeta/analysis/batch_scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "smeta/core/threads.hpp"

namespace smeta::analysis {
namespace {

constexpr int kBisections = 50;
constexpr double kTolerance = 1e-5;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int32_t kMixingNeighbors = 15;

std::int32_t groups_of(std::span<const std::int32_t> labels) {
    return labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
}

/// exp(-beta d) scaled to sum 1; returns the entropy.
double fill_weights(std::span<const double> distances, double beta, std::vector<double>& weights) {
    double sum = 0;
    for (std::size_t j = 0; j < distances.size(); ++j)
        sum += weights[j] = std::exp(-distances[j] * beta);
    double entropy = 0;
    for (auto& w : weights) {
        w = sum > 0 ? w / sum : 1.0 / static_cast<double>(weights.size());
        if (w > 0) entropy -= w * std::log(w);
    }
    return entropy;
}

core::MatrixD rows_of(const core::MatrixD& points, const std::vector<std::int64_t>& rows) {
    core::MatrixD result(static_cast<Eigen::Index>(rows.size()), points.cols());
    for (std::size_t r = 0; r < rows.size(); ++r)
        result.row(static_cast<Eigen::Index>(r)) = points.row(rows[r]);
    return result;
}

}  // namespace

Lisi lisi(std::span<const double> distances, std::span<const std::int32_t> labels,
          double perplexity) {
    Lisi result;
    if (distances.empty()) return result;
    const double target = std::log(perplexity);
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    std::vector<double> weights(distances.size());
    for (int step = 0; step < kBisections; ++step) {
        const double excess = fill_weights(distances, result.beta, weights) - target;
        if (std::abs(excess) < kTolerance) break;
        if (excess > 0) {
            low = result.beta;
            result.beta = std::isinf(high) ? result.beta * 2 : (low + high) / 2;
        } else {
            high = result.beta;
            result.beta = std::isinf(low) ? result.beta / 2 : (low + high) / 2;
        }
    }
    std::vector<double> share(groups_of(labels), 0.0);
    for (std::size_t j = 0; j < weights.size(); ++j) share[labels[j]] += weights[j];
    double squares = 0;
    for (const double s : share) squares += s * s;
    result.value = 1 / squares;
    return result;
}

std::vector<double> lisi(const NearestNeighbors& nearest, std::span<const std::int32_t> labels,
                         double perplexity) {
    const std::int64_t k = nearest.neighbors;
    std::vector<double> result(nearest.rows);
#pragma omp parallel num_threads(core::threads())
    {
        std::vector<std::int32_t> own(k);
#pragma omp for schedule(static)
        for (std::int64_t r = 0; r < nearest.rows; ++r) {
            for (std::int64_t j = 0; j < k; ++j) own[j] = labels[nearest.indices[r * k + j]];
            result[r] = lisi(std::span(nearest.distances).subspan(r * k, k), own, perplexity).value;
        }
    }
    return result;
}

std::vector<double> silhouette(const core::MatrixD& points, std::span<const std::int32_t> labels) {
    const auto groups = groups_of(labels);
    std::vector<std::int64_t> sizes(groups, 0);
    for (const auto label : labels) ++sizes[label];
    std::vector<double> result(labels.size(), 0.0);
#pragma omp parallel num_threads(core::threads())
    {
        std::vector<double> sums(groups);
#pragma omp for schedule(dynamic, 64)
        for (Eigen::Index i = 0; i < points.rows(); ++i) {
            std::fill(sums.begin(), sums.end(), 0.0);
            for (Eigen::Index j = 0; j < points.rows(); ++j)
                sums[labels[j]] += (points.row(i) - points.row(j)).norm();
            const auto own = labels[i];
            if (sizes[own] < 2) continue;
            const double a = sums[own] / static_cast<double>(sizes[own] - 1);
            double b = std::numeric_limits<double>::infinity();
            for (std::int32_t g = 0; g < groups; ++g)
                if (g != own && sizes[g] > 0)
                    b = std::min(b, sums[g] / static_cast<double>(sizes[g]));
            if (!std::isinf(b) && std::max(a, b) > 0) result[i] = (b - a) / std::max(a, b);
        }
    }
    return result;
}

double batch_silhouette(const core::MatrixD& points, std::span<const std::int32_t> batches,
                        std::span<const std::int32_t> labels) {
    std::vector<std::vector<std::int64_t>> members(groups_of(labels));
    for (std::size_t i = 0; i < labels.size(); ++i)
        members[labels[i]].push_back(static_cast<std::int64_t>(i));
    double total = 0;
    std::int64_t counted = 0;
    for (const auto& rows : members) {
        std::vector<std::int32_t> own;
        own.reserve(rows.size());
        for (const auto r : rows) own.push_back(batches[r]);
        auto distinct = own;
        std::sort(distinct.begin(), distinct.end());
        distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
        if (distinct.size() < 2 || distinct.size() == rows.size()) continue;
        double sum = 0;
        for (const double s : silhouette(rows_of(points, rows), own)) sum += 1 - std::abs(s);
        total += sum / static_cast<double>(rows.size());
        ++counted;
    }
    return counted > 0 ? total / static_cast<double>(counted) : kNaN;
}

double neighbor_mixing(const NearestNeighbors& nearest, std::span<const std::int32_t> batches) {
    const std::int64_t k = nearest.neighbors;
    std::vector<std::int64_t> sizes(groups_of(batches), 0);
    for (const auto b : batches) ++sizes[b];
    double found = 0;
    double expected = 0;
    for (std::int64_t r = 0; r < nearest.rows; ++r) {
        std::int64_t others = 0;
        for (std::int64_t j = 0; j < k; ++j)
            others += batches[nearest.indices[r * k + j]] != batches[r];
        found += static_cast<double>(others);
        expected += static_cast<double>(k * (nearest.rows - sizes[batches[r]])) /
                    static_cast<double>(nearest.rows - 1);
    }
    return expected > 0 ? found / expected : kNaN;
}

double median(std::vector<double> values) {
    if (values.empty()) return kNaN;
    std::sort(values.begin(), values.end());
    const auto half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

BatchMixing batch_mixing(const core::MatrixD& points, std::span<const std::int32_t> batches,
                         std::span<const std::int32_t> labels) {
    std::vector<std::int32_t> distinct(batches.begin(), batches.end());
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    if (distinct.size() < 2) return {kNaN, kNaN, kNaN};
    const comm::Range all{0, points.rows()};
    BatchMixing result;
    result.ilisi = (median(lisi(nearest_neighbors(points, all, kLisiNeighbors), batches)) - 1) /
                   static_cast<double>(distinct.size() - 1);
    result.batch_asw = batch_silhouette(points, batches, labels);
    result.neighbor_mixing =
        neighbor_mixing(nearest_neighbors(points, all, kMixingNeighbors), batches);
    return result;
}

}  // namespace smeta::analysis
