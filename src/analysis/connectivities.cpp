#include "smeta/analysis/connectivities.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "smeta/core/threads.hpp"

namespace smeta::analysis {
namespace {

// umap-learn's constants.
constexpr int kBisections = 64;
constexpr double kTolerance = 1e-5;
constexpr double kSmallestScale = 1e-3;

double membership_sum(std::span<const double> distances, double rho, double sigma) {
    double sum = 0;
    for (const double d : distances) sum += d > rho ? std::exp(-(d - rho) / sigma) : 1.0;
    return sum;
}

struct Entry {
    std::int64_t column;
    double weight;
};

/// Directed memberships as lists by row, plus the same lists transposed.
struct DirectedWeights {
    std::vector<std::int64_t> indptr;
    std::vector<Entry> entries;
};

DirectedWeights transposed(const NearestNeighbors& nearest, const std::vector<double>& weights) {
    DirectedWeights result;
    result.indptr.assign(nearest.rows + 1, 0);
    for (const auto column : nearest.indices) ++result.indptr[column + 1];
    std::partial_sum(result.indptr.begin(), result.indptr.end(), result.indptr.begin());
    result.entries.resize(nearest.indices.size());
    auto next = result.indptr;
    for (std::int64_t r = 0; r < nearest.rows; ++r)
        for (std::int64_t e = r * nearest.neighbors; e < (r + 1) * nearest.neighbors; ++e)
            result.entries[next[nearest.indices[e]]++] = {r, weights[e]};
    return result;
}

/// Directed memberships in the order of nearest.indices.
std::vector<double> memberships(const NearestNeighbors& nearest) {
    const std::int64_t k = nearest.neighbors;
    double total = 0;
    for (const double d : nearest.distances) total += d;
    const double mean = total / static_cast<double>(nearest.rows * (k + 1));
    std::vector<double> weights(nearest.distances.size());
#pragma omp parallel for schedule(static) num_threads(core::threads())
    for (std::int64_t r = 0; r < nearest.rows; ++r) {
        const auto distances = std::span(nearest.distances).subspan(r * k, k);
        const LocalScale scale = local_scale(distances, mean);
        for (std::int64_t j = 0; j < k; ++j)
            weights[r * k + j] = distances[j] <= scale.rho || scale.sigma == 0
                                     ? 1.0
                                     : std::exp(-(distances[j] - scale.rho) / scale.sigma);
    }
    return weights;
}

}  // namespace

LocalScale local_scale(std::span<const double> distances, double mean_distance) {
    LocalScale scale;
    const auto first =
        std::find_if(distances.begin(), distances.end(), [](double d) { return d > 0; });
    if (first != distances.end()) scale.rho = *first;

    const double target = std::log2(static_cast<double>(distances.size() + 1));
    double low = 0;
    double high = std::numeric_limits<double>::infinity();
    double sigma = 1;
    for (int step = 0; step < kBisections; ++step) {
        const double sum = membership_sum(distances, scale.rho, sigma);
        if (std::abs(sum - target) < kTolerance) break;
        if (sum > target) {
            high = sigma;
            sigma = (low + high) / 2;
        } else {
            low = sigma;
            sigma = std::isinf(high) ? sigma * 2 : (low + high) / 2;
        }
    }
    const double own_mean = std::accumulate(distances.begin(), distances.end(), 0.0) /
                            static_cast<double>(distances.size() + 1);
    scale.sigma = std::max(sigma, kSmallestScale * (scale.rho > 0 ? own_mean : mean_distance));
    return scale;
}

core::CountsCsr connectivities(const NearestNeighbors& nearest) {
    const auto weights = memberships(nearest);
    const auto incoming = transposed(nearest, weights);
    const std::int64_t k = nearest.neighbors;

    core::CountsCsr result;
    result.cols = static_cast<std::int32_t>(nearest.rows);
    std::vector<Entry> outgoing(k);
    std::vector<std::int32_t> columns;
    std::vector<float> values;
    const auto add = [&](std::int64_t column, double weight) {
        if (static_cast<float>(weight) == 0.0F) return;
        columns.push_back(static_cast<std::int32_t>(column));
        values.push_back(static_cast<float>(weight));
    };
    for (std::int64_t r = 0; r < nearest.rows; ++r) {
        for (std::int64_t j = 0; j < k; ++j)
            outgoing[j] = {nearest.indices[r * k + j], weights[r * k + j]};
        std::sort(outgoing.begin(), outgoing.end(),
                  [](const Entry& a, const Entry& b) { return a.column < b.column; });
        columns.clear();
        values.clear();
        auto out = outgoing.begin();
        auto in = incoming.entries.begin() + incoming.indptr[r];
        const auto in_end = incoming.entries.begin() + incoming.indptr[r + 1];
        while (out != outgoing.end() || in != in_end) {
            if (in == in_end || (out != outgoing.end() && out->column < in->column)) {
                add(out->column, out->weight);
                ++out;
            } else if (out == outgoing.end() || in->column < out->column) {
                add(in->column, in->weight);
                ++in;
            } else {
                add(out->column, out->weight + in->weight - out->weight * in->weight);
                ++out;
                ++in;
            }
        }
        result.append_row(columns, values);
    }
    return result;
}

core::CountsCsr distance_matrix(const NearestNeighbors& nearest) {
    const std::int64_t k = nearest.neighbors;
    core::CountsCsr result;
    result.cols = static_cast<std::int32_t>(nearest.rows);
    std::vector<Entry> row(k);
    std::vector<std::int32_t> columns(k);
    std::vector<float> values(k);
    for (std::int64_t r = 0; r < nearest.rows; ++r) {
        for (std::int64_t j = 0; j < k; ++j)
            row[j] = {nearest.indices[r * k + j], nearest.distances[r * k + j]};
        std::sort(row.begin(), row.end(),
                  [](const Entry& a, const Entry& b) { return a.column < b.column; });
        for (std::int64_t j = 0; j < k; ++j) {
            columns[j] = static_cast<std::int32_t>(row[j].column);
            values[j] = static_cast<float>(row[j].weight);
        }
        result.append_row(columns, values);
    }
    return result;
}

}  // namespace smeta::analysis
