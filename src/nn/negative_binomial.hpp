#pragma once

#include <algorithm>

#include "smeta/nn/likelihood.hpp"

#include "gamma_terms.hpp"

/// The negative binomial of a slice, with and without zero inflation: every feature as if x were 0,
/// then the entries other than zero in its place.
namespace smeta::nn::detail {

/// A slice's working arrays; one loop an array so that each vectorises.
template <class R>
using Lane = R[kTile];

template <class R>
constexpr R kThetaOffset = static_cast<R>(1e-6);

enum class Inflation { None, Zero };

/// What the pass over all features leaves for the entries: l = log mu - log theta, exp of log
/// theta, softplus and sigmoid of l.
template <class R>
struct NbFeatures {
    alignas(64) Lane<R> l, theta, plus, sigmoid;
};

/// A feature's negative log likelihood is nll + log ratio, with ratios in [1, 2), whose logarithms
/// are taken together.
template <class R>
struct NbLosses {
    alignas(64) Lane<R> nll, ratio;

    void set(std::int32_t i, R value) {
        nll[i] = value;
        ratio[i] = 1;
    }
    /// In a fixed order.
    double sum(std::int32_t count) const {
        static_assert(kTile / 16 < 100, "products stay within a float's range");
        alignas(64) R product[16];
        std::fill_n(product, 16, R(1));
        std::int32_t i = 0;
        for (; i + 16 <= count; i += 16)
            for (int k = 0; k < 16; ++k) product[k] *= ratio[i + k];
        for (std::int32_t k = 0; k < count - i; ++k) product[k] *= ratio[i + k];
        for (R& value : product) value = log_of(value);
        return ordered_sum(nll, count) + ordered_sum(product, 16);
    }
};

/// Up to this x the gamma terms are a product of few factors, for log theta below the bound also
/// within a float's range.
inline constexpr double kFew = 4;
inline constexpr double kFewLogTheta = 20;

/// P = r (r + 1) ... (r + x - 1) and its slope by r, for x of 0 (P = 1) to 4.
template <class R>
struct Rising {
    R product;
    R slope;
};

template <class R>
inline Rising<R> rising(R r, R x) {
    const R b0 = x > 0 ? r : R(1);
    const R b1 = x > 1 ? r + 1 : R(1);
    const R b2 = x > 2 ? r + 2 : R(1);
    const R b3 = x > 3 ? r + 3 : R(1);
    const R low = b0 * b1;
    const R high = b2 * b3;
    const R low_slope = (x > 0 ? b1 : R(0)) + (x > 1 ? b0 : R(0));
    const R high_slope = (x > 2 ? b3 : R(0)) + (x > 3 ? b2 : R(0));
    return {low * high, low_slope * high + high_slope * low};
}

template <class R>
inline R few_factorial(R x) {
    return x > 3 ? R(24) : x > 2 ? R(6) : x > 1 ? R(2) : R(1);
}

/// The slice with the whole numbers x of 0 to kFew. Short loops: a processor overlaps more
/// iterations of them than of one long chain of exponentials and logarithms. Sums of a number and
/// its absolute value stand for maxima so that no NaN is lost.
template <class R, Inflation I>
void nb_few(const HeadSlice<R>& head, const R* __restrict x, NbFeatures<R>& f,
            NbLosses<R>& losses) {
    R* __restrict nll = losses.nll;
    R* __restrict ratio = losses.ratio;
    const R* __restrict log_mean = head.mean;
    R* __restrict d_mean = head.d_mean;
    R* __restrict log_theta = head.log_scale;
    R* __restrict gate = head.gate;
    const R weight = head.weight;
    const R shift = head.mean_shift;
    const std::int32_t count = head.count;
    alignas(64) Lane<R> digamma, eg, eu, by_u;
    for (std::int32_t i = 0; i < count; ++i) f.theta[i] = exp_of(log_theta[i]);
    for (std::int32_t i = 0; i < count; ++i) {
        const R l = (log_mean[i] + shift) - log_theta[i];
        f.l[i] = l;
        f.sigmoid[i] = exp_below_0(-std::abs(l));
        f.plus[i] = R(0.5) * (l + std::abs(l)) + log1p_unit(f.sigmoid[i]);
    }
    // At 0: softplus(-g) - softplus(u); elsewhere -log(P / x!) - x (l - plus) + r plus +
    // softplus(g).
    for (std::int32_t i = 0; i < count; ++i) {
        const R r_plus = (f.theta[i] + kThetaOffset<R>)*f.plus[i];
        const R linear = r_plus - x[i] * (f.l[i] - f.plus[i]);
        if constexpr (I == Inflation::Zero) {
            const R g = gate[i];
            const R u = -r_plus - g;
            eg[i] = exp_below_0(-std::abs(g));
            eu[i] = exp_below_0(-std::abs(u));
            by_u[i] = u;
            nll[i] = x[i] == 0 ? R(0.5) * ((std::abs(g) - g) - (std::abs(u) + u))
                               : linear + R(0.5) * (std::abs(g) + g);
        } else {
            nll[i] = linear;
        }
    }
    // All quotients share one division.
    for (std::int32_t i = 0; i < count; ++i) {
        const R e = f.sigmoid[i];
        const bool zero = x[i] == 0;
        const Rising<R> p = rising(f.theta[i] + kThetaOffset<R>, x[i]);
        R open_g = 1;
        R other = p.product;
        if constexpr (I == Inflation::Zero) {
            open_g += eg[i];
            other = zero ? 1 + eu[i] : other;
        }
        const R ends = open_g * (1 + e);
        const R inverse = 1 / (ends * other);
        const R by_other = ends * inverse;
        const R by_ends = other * inverse;
        const SplitLog<R> log = split_log(open_g * few_factorial(x[i]) * by_other);
        nll[i] += log.whole;
        ratio[i] = log.ratio;
        digamma[i] = p.slope * by_other;
        const R il = open_g * by_ends;
        f.sigmoid[i] = f.l[i] > 0 ? il : e * il;
        if constexpr (I == Inflation::Zero) {
            const R ig = (1 + e) * by_ends;
            const R above = gate[i] > 0 ? ig : eg[i] * ig;
            const R below = gate[i] > 0 ? eg[i] * ig : ig;
            by_u[i] = zero ? (by_u[i] > 0 ? by_other : eu[i] * by_other) : R(1);
            gate[i] = weight * (zero ? by_u[i] - below : above);
        }
    }
    for (std::int32_t i = 0; i < count; ++i) {
        const R s = f.sigmoid[i];
        const R by_l = (f.theta[i] + kThetaOffset<R>)*s - x[i] * (1 - s);
        const R slope = I == Inflation::Zero ? weight * by_u[i] : weight;
        d_mean[i] = slope * by_l;
        log_theta[i] = slope * (f.theta[i] * (f.plus[i] - digamma[i]) - by_l);
    }
}

/// Entries that `nb_few` does not take: gathered, computed in whole vectors, put in their places.
template <class R, Inflation I>
struct NbEntries {
    alignas(64) Lane<R> x, gate, l, theta, plus, sigmoid, nll, d_mean, d_theta, d_gate;
    alignas(64) std::int32_t at[kTile];
    std::int32_t count = 0;
    /// Up to whole vectors: harmless numbers spare the loops their remainders.
    std::int32_t padded = 0;

    /// Before the gate's gradient takes its place.
    void gather_gate(const HeadSlice<R>& head, const R* values) {
        padded = (count + 15) / 16 * 16;
        std::fill(at + count, at + padded, 0);
        gather(values, x);
        if constexpr (I == Inflation::Zero) gather(head.gate, gate);
    }
    void gather_features(const NbFeatures<R>& f) {
        gather(f.l, l);
        gather(f.theta, theta);
        gather(f.plus, plus);
        gather(f.sigmoid, sigmoid);
    }

    void compute(R weight) {
        alignas(64) Lane<R> log_factorial, digamma;
        factorials(log_factorial);
        for (std::int32_t k = 0; k < padded; ++k) {
            const R r = theta[k] + kThetaOffset<R>;
            const GammaDifference<R> gamma = gamma_difference<R>(r, x[k]);
            digamma[k] = gamma.digamma;
            nll[k] = (log_factorial[k] - gamma.lgamma) - x[k] * (l[k] - plus[k]) + r * plus[k];
        }
        for (std::int32_t k = 0; k < padded; ++k) {
            if constexpr (I == Inflation::Zero) {
                const Soft<R> g = soft(gate[k]);
                nll[k] += g.plus;
                d_gate[k] = weight * g.sigmoid;
            }
            const R by_l = (theta[k] + kThetaOffset<R>)*sigmoid[k] - x[k] * (1 - sigmoid[k]);
            d_mean[k] = weight * by_l;
            d_theta[k] = weight * (theta[k] * (plus[k] - digamma[k]) - by_l);
        }
    }

    void store(const HeadSlice<R>& head, NbLosses<R>& losses) const {
        put(nll, losses.nll);
        for (std::int32_t k = 0; k < count; ++k) losses.ratio[at[k]] = 1;
        put(d_mean, head.d_mean);
        put(d_theta, head.log_scale);
        if constexpr (I == Inflation::Zero) put(d_gate, head.gate);
    }

  private:
    /// lgamma(1 + x) from the table; whatever is no small whole number is computed.
    void factorials(R* result) const {
        const R* table = log_factorials<R>().data();
        std::int32_t beyond = 0;
        for (std::int32_t k = 0; k < padded; ++k) {
            const R inside = x[k] < kFactorials - 1 ? x[k] : R(kFactorials - 1);
            const auto whole = static_cast<std::int32_t>(inside > 0 ? inside : R(0));
            result[k] = table[whole];
            beyond += static_cast<R>(whole) != x[k] ? 1 : 0;
        }
        if (beyond == 0) return;
        for (std::int32_t k = 0; k < padded; ++k) result[k] = static_cast<R>(log_factorial(x[k]));
    }

    void gather(const R* from, R* to) const {
        for (std::int32_t k = 0; k < padded; k += 16) gather_16(from, at + k, to + k);
    }
    /// Columns of a row are distinct.
    void put(const R* from, R* to) const {
#pragma GCC ivdep
        for (std::int32_t k = 0; k < count; ++k) to[at[k]] = from[k];
    }
};

/// Negative log likelihood of every feature of the slice, and the heads' gradients.
template <class R, Inflation I>
void nb_features(const HeadSlice<R>& head, const SparseSlice& slice, NbLosses<R>& losses) {
    NbFeatures<R> features;
    NbEntries<R, I> others;
    alignas(64) Lane<R> x;
    std::int32_t unbounded = 0;  // or NaN
    for (std::int32_t i = 0; i < head.count; ++i)
        unbounded += head.log_scale[i] < static_cast<R>(kFewLogTheta) ? 0 : 1;
    std::fill_n(x, head.count, R(0));
    for (std::int32_t k = 0; k < slice.count; ++k)
        x[slice.columns[k] - slice.first] = static_cast<R>(slice.values[k]);
    // What `nb_few` makes of the others is overwritten. Without branches, which would be
    // mispredicted.
    alignas(64) std::int32_t is_other[kTile];
    for (std::int32_t k = 0; k < slice.count; ++k) {
        const float value = slice.values[k];
        is_other[k] = value > kFew || value != std::trunc(value) || unbounded != 0 ? 1 : 0;
    }
    for (std::int32_t k = 0; k < slice.count; ++k) {
        others.at[others.count] = slice.columns[k] - slice.first;
        others.count += is_other[k];
    }
    others.gather_gate(head, x);
    if (unbounded != 0) std::fill_n(x, head.count, R(0));  // no product overflows
    nb_few<R, I>(head, x, features, losses);
    if (others.count == 0) return;
    others.gather_features(features);
    others.compute(head.weight);
    others.store(head, losses);
}

}  // namespace smeta::nn::detail
