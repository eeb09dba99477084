#include <algorithm>

#include "smeta/nn/latent_terms.hpp"

#include "vector_math.hpp"

namespace smeta::nn {

namespace {

// More than 16: GCC unrolls shorter loops before it could vectorise them.
constexpr std::int64_t kPairs = 64;

/// Kernel and slope of kPairs squared distances.
template <class R>
void kernel_of(const R* distance, R* kernel, R* slope) {
    // exp(-60) is below a float's last digit of any later term; up to 0.02 a cubic is exact to it.
    constexpr bool kFloat = sizeof(R) == sizeof(float);
    constexpr R kNothing = 60;
    constexpr R kNear = R(0.02);
    R smallest = distance[0];
    R largest = distance[0];
    for (int j = 1; j < kPairs; ++j) {
        smallest = distance[j] < smallest ? distance[j] : smallest;
        largest = distance[j] > largest ? distance[j] : largest;
    }
    std::fill_n(kernel, kPairs, R(0));
    std::fill_n(slope, kPairs, R(0));
    for (const double alpha : kMmdWidths) {
        const auto half = static_cast<R>(0.5 / alpha);
        const auto inverse = static_cast<R>(1 / alpha);
        if (kFloat && half * smallest > kNothing) continue;
        R e[kPairs];
        if (kFloat && half * largest < kNear) {
            for (int j = 0; j < kPairs; ++j) {
                const R x = -half * distance[j];
                e[j] = 1 + x * (1 + x * (R(0.5) + x * R(1.0 / 6)));
            }
        } else {
            for (int j = 0; j < kPairs; ++j) e[j] = detail::exp_below_0(-half * distance[j]);
        }
        for (int j = 0; j < kPairs; ++j) {
            kernel[j] += e[j];
            slope[j] += e[j] * inverse;
        }
    }
}

}  // namespace

template <class R>
void MmdBatch<R>::assign(const MmdRows<R>& all) {
    rows_ = all.rows;
    padded_ = (rows_ + kPairs - 1) / kPairs * kPairs;
    width_ = all.width;
    levels_ = all.levels;
    components_.assign(width_ * padded_, R(0));
    for (std::int64_t i = 0; i < rows_; ++i)
        for (std::int32_t l = 0; l < width_; ++l)
            components_[l * padded_ + i] = all.latent[i * width_ + l];
    codes_.assign(levels_ * padded_, -1);
    inverse_.assign(levels_ * padded_, R(0));
    others_.assign(levels_, R(0));
    for (std::int32_t level = 0; level < levels_; ++level) {
        std::int32_t* codes = codes_.data() + level * padded_;
        std::int32_t categories = 0;
        for (std::int64_t i = 0; i < rows_; ++i) {
            codes[i] = all.codes[i * levels_ + level];
            categories = std::max(categories, codes[i] + 1);
        }
        count_.assign(categories, 0.0);
        for (std::int64_t i = 0; i < rows_; ++i)
            if (codes[i] >= 0) count_[codes[i]] += 1;
        const auto counted = std::ranges::count_if(
            count_, [](double n) { return n >= static_cast<double>(kMmdLeastRows); });
        others_[level] = static_cast<R>(counted - 1);
        for (std::int64_t i = 0; i < rows_; ++i)
            if (codes[i] >= 0 && count_[codes[i]] >= static_cast<double>(kMmdLeastRows))
                inverse_[level * padded_ + i] = static_cast<R>(1 / count_[codes[i]]);
    }
}

template <class R>
void MmdBatch<R>::weights_of(std::int64_t i, std::int64_t first, R* weight) const {
    std::fill_n(weight, kPairs, R(0));
    for (std::int32_t level = 0; level < levels_; ++level) {
        const std::int32_t* codes = codes_.data() + level * padded_;
        const R* inverse = inverse_.data() + level * padded_;
        const R own = others_[level] > 0 ? inverse[i] : R(0);
        const R within = others_[level] * own;
        for (int j = 0; j < kPairs; ++j)
            weight[j] += (codes[first + j] == codes[i] ? within : -own) * inverse[first + j];
    }
}

template <class R>
double MmdBatch<R>::row(std::int64_t i, double scale, std::span<R> d_latent,
                        std::vector<R>& factors) const {
    bool counts = false;
    for (std::int32_t level = 0; level < levels_; ++level)
        counts = counts || (others_[level] > 0 && inverse_[level * padded_ + i] > 0);
    if (!counts) return 0;
    factors.resize(padded_);
    double loss[kPairs] = {};
    for (std::int64_t first = 0; first < padded_; first += kPairs) {
        R distance[kPairs] = {};
        for (std::int32_t l = 0; l < width_; ++l) {
            const R* other = components_.data() + l * padded_ + first;
            const R own = components_[l * padded_ + i];
            for (int j = 0; j < kPairs; ++j) distance[j] += (own - other[j]) * (own - other[j]);
        }
        R weight[kPairs], kernel[kPairs], slope[kPairs];
        weights_of(i, first, weight);
        kernel_of(distance, kernel, slope);
        for (int j = 0; j < kPairs; ++j) {
            loss[j] += static_cast<double>(weight[j]) * static_cast<double>(kernel[j]);
            factors[first + j] = weight[j] * slope[j];
        }
    }
    for (std::int32_t l = 0; l < width_; ++l) {
        const R* other = components_.data() + l * padded_;
        const R own = other[i];
        double sum[kPairs] = {};
        for (std::int64_t first = 0; first < padded_; first += kPairs)
            for (int j = 0; j < kPairs; ++j)
                sum[j] += static_cast<double>(factors[first + j] * (own - other[first + j]));
        double total = 0;
        for (const double part : sum) total += part;
        d_latent[l] += static_cast<R>(-2 * scale * total);
    }
    double total = 0;
    for (const double part : loss) total += part;
    return total;
}

template class MmdBatch<float>;
template class MmdBatch<double>;

}  // namespace smeta::nn
