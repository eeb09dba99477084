#pragma once

#include <array>
#include <cmath>

#include "vector_math.hpp"

/// lgamma and digamma differences of the negative binomial without cancellation (docs/numerics.md,
/// "Gamma terms").
namespace smeta::nn::detail {

/// How far arguments are shifted before the asymptotic series, and how many terms of it are used.
template <class R>
struct GammaSeries {
    static constexpr int kShift = 10;
    static constexpr int kTerms = 7;
};
template <>
struct GammaSeries<float> {
    static constexpr int kShift = 4;
    static constexpr int kTerms = 3;
};

/// Coefficients of 1/z, 1/z^3, ... in lgamma(z) and of 1/z^2, 1/z^4, ... in log z - 1/(2z) -
/// digamma(z) (Bernoulli numbers).
inline constexpr std::array<double, 7> kLgammaSeries = {
    1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156};
inline constexpr std::array<double, 7> kDigammaSeries = {
    1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};

template <class R>
struct GammaDifference {
    R lgamma;   ///< lgamma(r + x) - lgamma(r)
    R digamma;  ///< digamma(r + x) - digamma(r)
};

/// For r > 0, x >= 0 (not only whole numbers).
template <class R>
inline GammaDifference<R> gamma_difference(R r, R x) {
    constexpr int kShift = GammaSeries<R>::kShift;
    R ratio = 1;  // prod (r + k) / (r + x + k)
    R steps = 0;  // sum 1 / (r + k) - 1 / (r + x + k)
    for (int k = 0; k < kShift; ++k) {
        const R below = r + static_cast<R>(k);
        const R quotient = 1 / (below + x);
        ratio *= below * quotient;
        steps += x * quotient / below;
    }
    const R a = r + static_cast<R>(kShift);
    const R b = a + x;
    const R ia = 1 / a;
    const R ib = 1 / b;
    const R ia2 = ia * ia;
    const R ib2 = ib * ib;
    R series = 0;
    R slope = 0;
    R pa = 1;
    R pb = 1;
    for (int k = 0; k < GammaSeries<R>::kTerms; ++k) {
        series += static_cast<R>(kLgammaSeries[k]) * (pb * ib - pa * ia);
        pa *= ia2;
        pb *= ib2;
        slope += static_cast<R>(kDigammaSeries[k]) * (pa - pb);
    }
    const R log_ratio = log1p_of(x * ia);
    return {x * (log_of(b) - 1) + (a - R(0.5)) * log_ratio + series + log_of(ratio),
            log_ratio + R(0.5) * (ia - ib) + slope + steps};
}

/// lgamma(1 + x) for x >= 0.
inline double log_factorial(double x) {
    static const std::array<double, 256> table = [] {
        std::array<double, 256> values{};
        for (std::size_t i = 1; i < values.size(); ++i)
            values[i] = values[i - 1] + std::log(static_cast<double>(i));
        return values;
    }();
    if (x < 256 && x == std::floor(x)) return table[static_cast<std::size_t>(x)];
    return gamma_difference<double>(1, x).lgamma;
}

}  // namespace smeta::nn::detail
