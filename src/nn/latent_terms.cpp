#include "smeta/nn/latent_terms.hpp"

#include <algorithm>
#include <cmath>

#include "vector_math.hpp"

namespace smeta::nn {

template <class R>
double kl_row(std::span<const R> mean, std::span<const R> variance, R weight, std::span<R> d_mean,
              std::span<R> d_variance) {
    double sum = 0;
    for (std::size_t l = 0; l < mean.size(); ++l) {
        const auto m = static_cast<double>(mean[l]);
        const auto v = static_cast<double>(variance[l]);
        sum += 0.5 * (v + m * m - 1 - std::log(v));
        d_mean[l] += weight * mean[l];
        d_variance[l] += weight * R(0.5) * (1 - 1 / variance[l]);
    }
    return sum;
}

MmdWeights::MmdWeights(std::span<const std::int32_t> codes, std::int64_t rows, std::int32_t levels)
    : codes_(codes), rows_(rows), levels_(levels), inverse_count_(levels), others_(levels) {
    for (std::int32_t level = 0; level < levels; ++level) {
        auto& inverse = inverse_count_[level];
        for (std::int64_t i = 0; i < rows; ++i) {
            const std::int32_t code = codes[i * levels + level];
            if (code < 0) continue;
            if (static_cast<std::size_t>(code) >= inverse.size()) inverse.resize(code + 1, 0.0);
            inverse[code] += 1;
        }
        double counted = 0;
        for (double& value : inverse) {
            const bool enough = value >= static_cast<double>(kMmdLeastRows);
            value = enough ? 1 / value : 0;
            counted += enough ? 1 : 0;
        }
        others_[level] = counted - 1;
    }
}

bool MmdWeights::counts(std::int64_t i) const {
    for (std::int32_t level = 0; level < levels_; ++level) {
        const std::int32_t code = codes_[i * levels_ + level];
        if (code >= 0 && others_[level] > 0 && inverse_count_[level][code] > 0) return true;
    }
    return false;
}

void MmdWeights::row(std::int64_t i, std::span<double> weight) const {
    std::ranges::fill(weight, 0.0);
    for (std::int32_t level = 0; level < levels_; ++level) {
        const std::int32_t own = codes_[i * levels_ + level];
        const auto& inverse = inverse_count_[level];
        if (own < 0 || others_[level] <= 0 || inverse[own] == 0) continue;
        for (std::int64_t j = 0; j < rows_; ++j) {
            const std::int32_t code = codes_[j * levels_ + level];
            if (code < 0) continue;
            weight[j] += (code == own ? others_[level] : -1.0) * inverse[own] * inverse[code];
        }
    }
}

namespace {

/// Kernel and its slope for many squared distances at once.
template <class R>
void mmd_kernel(const R* distance, std::int64_t count, R* kernel, R* slope) {
    std::fill_n(kernel, count, R(0));
    std::fill_n(slope, count, R(0));
    for (const double alpha : kMmdWidths) {
        const auto half = static_cast<R>(-0.5 / alpha);
        const auto inverse = static_cast<R>(1 / alpha);
        for (std::int64_t j = 0; j < count; ++j) {
            const R e = detail::exp_of(half * distance[j]);
            kernel[j] += e;
            slope[j] += e * inverse;
        }
    }
}

}  // namespace

template <class R>
double mmd_row(const MmdRows<R>& all, const MmdWeights& weights, std::int64_t i, double scale,
               std::span<R> d_latent) {
    if (!weights.counts(i)) return 0;
    const auto rows = static_cast<std::size_t>(all.rows);
    std::vector<double> weight(rows);
    weights.row(i, weight);
    std::vector<R> distance(rows), kernel(rows), slope(rows);
    const R* own = all.latent.data() + i * all.width;
    for (std::size_t j = 0; j < rows; ++j) {
        const R* other = all.latent.data() + static_cast<std::int64_t>(j) * all.width;
        R sum = 0;
        for (std::int32_t l = 0; l < all.width; ++l)
            sum += (own[l] - other[l]) * (own[l] - other[l]);
        distance[j] = sum;
    }
    mmd_kernel(distance.data(), all.rows, kernel.data(), slope.data());
    double loss = 0;
    std::vector<double> d(all.width, 0.0);
    for (std::size_t j = 0; j < rows; ++j) {
        loss += weight[j] * static_cast<double>(kernel[j]);
        const R* other = all.latent.data() + static_cast<std::int64_t>(j) * all.width;
        const double factor = -2 * scale * weight[j] * static_cast<double>(slope[j]);
        for (std::int32_t l = 0; l < all.width; ++l)
            d[l] += factor * static_cast<double>(own[l] - other[l]);
    }
    for (std::int32_t l = 0; l < all.width; ++l) d_latent[l] += static_cast<R>(d[l]);
    return loss;
}

template double kl_row<float>(std::span<const float>, std::span<const float>, float,
                              std::span<float>, std::span<float>);
template double kl_row<double>(std::span<const double>, std::span<const double>, double,
                               std::span<double>, std::span<double>);
template double mmd_row<float>(const MmdRows<float>&, const MmdWeights&, std::int64_t, double,
                               std::span<float>);
template double mmd_row<double>(const MmdRows<double>&, const MmdWeights&, std::int64_t, double,
                                std::span<double>);

}  // namespace smeta::nn
