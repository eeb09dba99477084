#pragma once

#include <array>
#include <cmath>

#include "vector_math.hpp"

/// lgamma and digamma differences of the negative binomial without cancellation (docs/numerics.md,
/// "Gamma terms").
namespace smeta::nn::detail {

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

/// What the shift of both arguments by S leaves outside the asymptotic series.
template <class R>
struct GammaShift {
    R ratio;  ///< prod (r + k) / (r + x + k), k < S
    R steps;  ///< sum 1 / (r + k) - 1 / (r + x + k)
};

inline constexpr int kShiftDouble = 10;
inline constexpr int kShiftFloat = 4;

inline GammaShift<double> gamma_shift(double r, double x) {
    GammaShift<double> shift{1, 0};
    for (int k = 0; k < kShiftDouble; ++k) {
        const double below = r + k;
        const double quotient = 1 / (below + x);
        shift.ratio *= below * quotient;
        shift.steps += x * quotient / below;
    }
    return shift;
}

/// Two divisions for the four steps. Above 1e9 the products would overflow; there the ratio is 1
/// and the steps are 0 to a float's last digit of what they are added to.
inline GammaShift<float> gamma_shift(float r, float x) {
    const bool huge = r > 1e9F;
    r = huge ? 1e9F : r;
    const float u = r + x;
    const float low = r * (r + 1);
    const float high = (r + 2) * (r + 3);
    const float low_inverse = 1 / (low * (u * (u + 1)));
    const float high_inverse = 1 / (high * ((u + 2) * (u + 3)));
    const float low_sum = r * u + (r + 1) * (u + 1);
    const float high_sum = (r + 2) * (u + 2) + (r + 3) * (u + 3);
    return {(low * low * low_inverse) * (high * high * high_inverse),
            huge ? 0.0F : x * (low_sum * low_inverse + high_sum * high_inverse)};
}

/// For r > 0, x >= 0 (not only whole numbers).
template <class R>
inline GammaDifference<R> gamma_difference(R r, R x) {
    constexpr bool kDouble = sizeof(R) == sizeof(double);
    constexpr int kTerms = kDouble ? 7 : 3;
    const GammaShift<R> shift = gamma_shift(r, x);
    const R a = r + static_cast<R>(kDouble ? kShiftDouble : kShiftFloat);
    const R b = a + x;
    const R inverse = 1 / (a * b);
    const R ia = b * inverse;
    const R ib = a * inverse;
    const R ia2 = ia * ia;
    const R ib2 = ib * ib;
    R series = 0;
    R slope = 0;
    R pa = 1;
    R pb = 1;
    for (int k = 0; k < kTerms; ++k) {
        series += static_cast<R>(kLgammaSeries[k]) * (pb * ib - pa * ia);
        pa *= ia2;
        pb *= ib2;
        slope += static_cast<R>(kDigammaSeries[k]) * (pa - pb);
    }
    const R log_ratio = log1p_of(x * ia, a * ib);
    return {x * (log_of(b) - 1) + (a - R(0.5)) * log_ratio + series + log_of(shift.ratio),
            log_ratio + R(0.5) * (ia - ib) + slope + shift.steps};
}

/// lgamma(1 + k) for k below kFactorials.
inline constexpr int kFactorials = 256;
template <class R>
inline const std::array<R, kFactorials>& log_factorials() {
    static const std::array<R, kFactorials> table = [] {
        std::array<R, kFactorials> values{};
        double sum = 0;
        for (std::size_t i = 1; i < values.size(); ++i) {
            sum += std::log(static_cast<double>(i));
            values[i] = static_cast<R>(sum);
        }
        return values;
    }();
    return table;
}

/// lgamma(1 + x) for x >= 0.
inline double log_factorial(double x) {
    if (x < kFactorials && x == std::floor(x))
        return log_factorials<double>()[static_cast<std::size_t>(x)];
    return gamma_difference<double>(1, x).lgamma;
}

}  // namespace smeta::nn::detail
