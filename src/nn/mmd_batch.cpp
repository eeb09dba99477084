#include <algorithm>
#include <bit>
#include <limits>
#include <type_traits>

#include "smeta/nn/latent_terms.hpp"

#include "micro_kernel.hpp"
#include "vector_math.hpp"

namespace smeta::nn {

namespace {

// More than 16: GCC unrolls shorter loops before it could vectorise them.
constexpr std::int64_t kPairs = 64;

using detail::kVectorSize;
template <class R>
constexpr int kVectors = kPairs / kVectorSize<R>;

/// Pairs whose terms are added in R before the sums go on in double.
constexpr std::int64_t kFewPairs = 8 * kPairs;

/// Widths from kFirstShared to kLastShared share exponentials, those from kFirstFlat on a
/// polynomial.
constexpr double kFirstShared = 5;
constexpr double kLastShared = 100;
constexpr double kFirstFlat = 1e3;
/// Below these squared distances no shared power underflows, and the polynomial is exact to a
/// float.
constexpr float kSharedBelow = 500;
constexpr float kFlatBelow = 250;

/// exp(-d / 2 alpha) of the shared widths are products of three.
void shared_widths(const float* distance, float* kernel, float* slope) {
    for (int j = 0; j < kPairs; ++j) {
        const float e100 = detail::exp_below_0(distance[j] * (-0.5F / 100));
        const float e35 = detail::exp_below_0(distance[j] * (-0.5F / 35));
        const float e30 = detail::exp_below_0(distance[j] * (-0.5F / 30));
        const float e50 = e100 * e100;
        const float e25 = e50 * e50;
        const float e20 = e25 * e100;
        const float e15 = e30 * e30;
        const float e10 = e15 * e30;
        const float e5 = e10 * e10;
        kernel[j] += ((e100 + e35) + (e30 + e25)) + ((e20 + e15) + (e10 + e5));
        slope[j] +=
            ((e100 * (1.0F / 100) + e35 * (1.0F / 35)) + (e30 * (1.0F / 30) + e25 * (1.0F / 25))) +
            ((e20 * (1.0F / 20) + e15 * (1.0F / 15)) + (e10 * (1.0F / 10) + e5 * (1.0F / 5)));
    }
}

/// Sum over the flat widths of alpha^-power (-1 / 2 alpha)^order / order!.
constexpr float flat_coefficient(int order, int power) {
    double sum = 0;
    for (const double alpha : kMmdWidths) {
        if (alpha < kFirstFlat) continue;
        double term = power == 0 ? 1 : 1 / alpha;
        for (int k = 1; k <= order; ++k) term *= -0.5 / alpha / k;
        sum += term;
    }
    return static_cast<float>(sum);
}

void flat_widths(const float* distance, float* kernel, float* slope) {
    constexpr float k0 = flat_coefficient(0, 0), k1 = flat_coefficient(1, 0),
                    k2 = flat_coefficient(2, 0), k3 = flat_coefficient(3, 0),
                    k4 = flat_coefficient(4, 0), k5 = flat_coefficient(5, 0);
    constexpr float s0 = flat_coefficient(0, 1), s1 = flat_coefficient(1, 1),
                    s2 = flat_coefficient(2, 1), s3 = flat_coefficient(3, 1),
                    s4 = flat_coefficient(4, 1), s5 = flat_coefficient(5, 1);
    for (int j = 0; j < kPairs; ++j) {
        const float d = distance[j];
        kernel[j] += k0 + d * (k1 + d * (k2 + d * (k3 + d * (k4 + d * k5))));
        slope[j] += s0 + d * (s1 + d * (s2 + d * (s3 + d * (s4 + d * s5))));
    }
}

template <class R>
struct Extremes {
    R smallest, largest;
};
/// Of kPairs numbers of at least 0, whose bits are in their order: integers' extremes vectorise.
template <class R>
Extremes<R> extremes(const R* distance) {
    using Bits = std::conditional_t<sizeof(R) == sizeof(float), std::int32_t, std::int64_t>;
    Bits smallest = std::numeric_limits<Bits>::max();
    Bits largest = 0;
    for (int j = 0; j < kPairs; ++j) {
        const auto bits = std::bit_cast<Bits>(distance[j]);
        smallest = std::min(smallest, bits);
        largest = std::max(largest, bits);
    }
    return {std::bit_cast<R>(smallest), std::bit_cast<R>(largest)};
}

/// Squared distances of row i of `components` (width x padded) to kPairs rows from `first`.
template <class R>
void distances(const R* components, std::int64_t padded, std::int32_t width, std::int64_t i,
               std::int64_t first, R* distance) {
    typename detail::Vector<R>::Type sum[kVectors<R>] = {};
    for (std::int32_t l = 0; l < width; ++l, components += padded) {
        const auto own = detail::broadcast(components[i]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors<R>; ++v) {
            const auto apart = own - detail::load(components + first + v * kVectorSize<R>);
            sum[v] += apart * apart;
        }
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors<R>; ++v) detail::store(distance + v * kVectorSize<R>, sum[v]);
}

/// Sum of factor (own - other) over all pairs.
template <class R>
double attraction(const R* factor, R own, const R* other, std::int64_t padded) {
    const auto self = detail::broadcast(own);
    double total = 0;
    for (std::int64_t begin = 0; begin < padded; begin += kFewPairs) {
        typename detail::Vector<R>::Type sum[kVectors<R>] = {};
        const std::int64_t end = std::min(begin + kFewPairs, padded);
        for (std::int64_t first = begin; first < end; first += kPairs)
#pragma GCC unroll 4
            for (int v = 0; v < kVectors<R>; ++v) {
                const std::int64_t at = first + v * kVectorSize<R>;
                sum[v] += detail::load(factor + at) * (self - detail::load(other + at));
            }
        for (int v = 1; v < kVectors<R>; ++v) sum[0] += sum[v];
        for (int k = 0; k < kVectorSize<R>; ++k) total += static_cast<double>(sum[0][k]);
    }
    return total;
}

/// Kernel and slope of kPairs squared distances.
template <class R>
void kernel_of(const R* distance, R* kernel, R* slope) {
    // exp(-60) is below a float's last digit of any later term.
    constexpr bool kFloat = sizeof(R) == sizeof(float);
    constexpr R kNothing = 60;
    const auto [smallest, largest] = extremes(distance);
    const bool shared = kFloat && largest < R(kSharedBelow);
    const bool flat = kFloat && largest < R(kFlatBelow);
    std::fill_n(kernel, kPairs, R(0));
    std::fill_n(slope, kPairs, R(0));
    for (const double alpha : kMmdWidths) {
        const auto half = static_cast<R>(0.5 / alpha);
        const auto inverse = static_cast<R>(1 / alpha);
        if (kFloat && half * smallest > kNothing) continue;
        if (shared && alpha >= kFirstShared && alpha <= kLastShared) continue;
        if (flat && alpha >= kFirstFlat) break;
        for (int j = 0; j < kPairs; ++j) {
            const R e = detail::exp_below_0(-half * distance[j]);
            kernel[j] += e;
            slope[j] += e * inverse;
        }
    }
    if constexpr (kFloat) {
        if (shared) shared_widths(distance, kernel, slope);
        if (flat) flat_widths(distance, kernel, slope);
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
        R distance[kPairs];
        distances(components_.data(), padded_, width_, i, first, distance);
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
        d_latent[l] +=
            static_cast<R>(-2 * scale * attraction(factors.data(), other[i], other, padded_));
    }
    double total = 0;
    for (const double part : loss) total += part;
    return total;
}

template class MmdBatch<float>;
template class MmdBatch<double>;

}  // namespace smeta::nn
