#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

/// exp, log and log1p that compilers vectorise: branch-free for float (Cephes polynomials, 2 ulp),
/// the library's for double.
namespace smeta::nn::detail {

inline double exp_of(double x) {
    return std::exp(x);
}
inline double log_of(double x) {
    return std::log(x);
}
inline double log1p_of(double x) {
    return std::log1p(x);
}

inline double log1p_of(double x, double) {
    return std::log1p(x);
}
inline double exp_below_0(double x) {
    return std::exp(x);
}
inline double log1p_unit(double x) {
    return std::log1p(x);
}

/// exp for x <= 0; at least 1e-38 (so never 0, also for -inf).
inline float exp_below_0(float x) {
    x = x < -87.0F ? -87.0F : x;
    // Added, the number leaves n + 127 in the sum's last bits.
    constexpr float kRound = 12582912.0F + 127;
    const float sum = x * 1.44269504088896341F + kRound;
    const float n = sum - kRound;
    float r = x - n * 0.693359375F;
    r += n * 2.12194440e-4F;
    float p = 1.3814465e-3F;
    p = p * r + 8.3687808e-3F;
    p = p * r + 4.1668393e-2F;
    p = p * r + 1.6666520e-1F;
    p = p * r + 4.9999994e-1F;
    p = p * r * r + r + 1.0F;
    return p * std::bit_cast<float>(std::bit_cast<std::uint32_t>(sum) << 23);
}

/// exp for x <= 88 (larger ones count as 88); at least 1e-38.
inline float exp_of(float x) {
    return exp_below_0(x > 88.0F ? 88.0F : x);
}

/// log(1 + m) for m in [sqrt(1/2) - 1, sqrt(2) - 1], plus e log 2.
inline float log_near_1(float m, float e) {
    const float z = m * m;
    float p = 7.0376836292e-2F;
    p = p * m - 1.1514610310e-1F;
    p = p * m + 1.1676998740e-1F;
    p = p * m - 1.2420140846e-1F;
    p = p * m + 1.4249322787e-1F;
    p = p * m - 1.6668057665e-1F;
    p = p * m + 2.0000714765e-1F;
    p = p * m - 2.4999993993e-1F;
    p = p * m + 3.3333331174e-1F;
    float y = p * m * z;
    y += e * -2.12194440e-4F;
    y -= 0.5F * z;
    return m + y + e * 0.693359375F;
}

/// log for normal positive x; smaller ones count as the smallest normal. That of NaN is NaN.
inline float log_of(float x) {
    x = x < 1.17549435e-38F ? 1.17549435e-38F : x;
    const std::int32_t bits = std::bit_cast<std::int32_t>(x);
    // The mantissa in [sqrt(1/2), sqrt(2)): the exponent steps where the mantissa passes sqrt(2).
    const std::int32_t offset = bits - 0x3f3504f3;
    const auto e = static_cast<float>(offset >> 23);
    const float m = std::bit_cast<float>((offset & 0x007fffff) + 0x3f3504f3) - 1.0F;
    return x == x ? log_near_1(m, e) : x;
}

/// log(1 + x) for x in [0, 1]: (1 + x) / 2 is exact enough that no rounding need be put right.
inline float log1p_unit(float x) {
    const bool upper = x > 0.41421356F;
    return log_near_1(upper ? 0.5F * (x - 1.0F) : x, upper ? 1.0F : 0.0F);
}

/// log(1 + x) for x >= 0, with the rounding of 1 + x put right; `inverse` is about 1 / (1 + x).
inline float log1p_of(float x, float inverse) {
    const float u = 1.0F + x;
    return log_of(u) + (x - (u - 1.0F)) * inverse;
}
inline float log1p_of(float x) {
    return log1p_of(x, 1.0F / (1.0F + x));
}

/// log(1 + exp(v)) and 1 / (1 + exp(-v)), from one exponential.
template <class R>
struct Soft {
    R plus;
    R sigmoid;
};

template <class R>
inline Soft<R> soft(R v) {
    const R e = exp_below_0(-std::abs(v));
    const R inverse = 1 / (1 + e);
    return {(v > 0 ? v : R(0)) + log1p_unit(e), v > 0 ? inverse : e * inverse};
}

/// to[k] = from[at[k]] for 16 numbers.
template <class R>
inline void gather_16(const R* from, const std::int32_t* at, R* to) {
#if defined(__AVX512F__)
    if constexpr (sizeof(R) == sizeof(float)) {  // GCC would load them one by one
        _mm512_storeu_ps(to, _mm512_i32gather_ps(_mm512_loadu_si512(at), from, sizeof(R)));
        return;
    }
#endif
    for (int k = 0; k < 16; ++k) to[k] = from[at[k]];
}

/// Sum in a fixed order that vectorises: 16 partial sums, then those in order, in double.
template <class R>
double ordered_sum(const R* value, std::int64_t count) {
    R lane[16] = {};
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (int k = 0; k < 16; ++k) lane[k] += value[i + k];
    for (int k = 0; i < count; ++i, ++k) lane[k] += value[i];
    double sum = 0;
    for (const R part : lane) sum += static_cast<double>(part);
    return sum;
}

/// A normal positive number's logarithm: `whole` + log `ratio`, the ratio in [1, 2), so that the
/// logarithms of many ratios can be taken together. A NaN is lost.
template <class R>
struct SplitLog {
    R whole;
    R ratio;
};
inline SplitLog<float> split_log(float x) {
    const auto bits = std::bit_cast<std::int32_t>(x);
    return {static_cast<float>((bits >> 23) - 127) * 0.693147181F,
            std::bit_cast<float>((bits & 0x007fffff) | 0x3f800000)};
}
inline SplitLog<double> split_log(double x) {
    return {std::log(x), 1};
}

}  // namespace smeta::nn::detail
