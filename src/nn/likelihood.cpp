#include "smeta/nn/likelihood.hpp"

#include <algorithm>

#include "gamma_terms.hpp"

namespace smeta::nn {

namespace {

using detail::exp_below_0;
using detail::exp_of;
using detail::log1p_unit;
using detail::log_of;
using detail::ordered_sum;

/// A slice's working arrays; one loop an array so that each vectorises.
template <class R>
using Lane = R[kTile];

template <class R>
constexpr R kHalfLogTwoPi = static_cast<R>(0.91893853320467274178);
template <class R>
constexpr R kThetaOffset = static_cast<R>(1e-6);

/// Outputs of the gate for a likelihood with logarithm lp: nll and its slopes by lp and by the
/// gate.
template <class R>
struct Gated {
    R nll;
    R d_lp;
    R d_gate;
};

/// x == 0: -(softplus(lp - g) - softplus(-g)).
template <class R>
inline Gated<R> gated_zero(R lp, R g) {
    const detail::Soft<R> u = detail::soft(lp - g);
    const detail::Soft<R> s = detail::soft(-g);
    return {s.plus - u.plus, -u.sigmoid, u.sigmoid - s.sigmoid};
}

/// x != 0: -(lp - g - softplus(-g)).
template <class R>
inline Gated<R> gated_nonzero(R lp, R g) {
    const detail::Soft<R> s = detail::soft(g);  // g + softplus(-g) = softplus(g)
    return {s.plus - lp, R(-1), s.sigmoid};
}

enum class Inflation { None, Zero };

/// softplus and sigmoid of many numbers.
template <class R>
struct SoftLane {
    alignas(64) Lane<R> plus, sigmoid;

    void set(std::int32_t i, R v) {
        const detail::Soft<R> s = detail::soft(v);
        plus[i] = s.plus;
        sigmoid[i] = s.sigmoid;
    }
};

/// The whole slice as if every x were 0. Short loops: a processor overlaps more iterations of them
/// than of one long chain of exponentials and logarithms.
template <class R, Inflation I>
void nb_zeros(const HeadSlice<R>& head, R* __restrict nll) {
    const R* __restrict log_mean = head.mean;
    R* __restrict d_mean = head.d_mean;
    R* __restrict log_theta = head.log_scale;
    R* __restrict gate = head.gate;
    const R weight = head.weight;
    const R shift = head.mean_shift;
    const std::int32_t count = head.count;
    alignas(64) Lane<R> theta;
    for (std::int32_t i = 0; i < count; ++i) theta[i] = exp_of(log_theta[i]);
    if constexpr (I == Inflation::Zero) {
        alignas(64) Lane<R> e, plus, by_u, d_gate;
        for (std::int32_t i = 0; i < count; ++i) {
            const R l = (log_mean[i] + shift) - log_theta[i];
            e[i] = exp_below_0(-std::abs(l));
            plus[i] = (l > 0 ? l : R(0)) + log1p_unit(e[i]);
        }
        // nll = softplus(-g) - softplus(u): one logarithm, of a ratio between 1/2 and 2; the three
        // sigmoids share one division.
        for (std::int32_t i = 0; i < count; ++i) {
            const R g = gate[i];
            const R u = -(theta[i] + kThetaOffset<R>)*plus[i] - g;
            const R eu = exp_below_0(-std::abs(u));
            const R eg = exp_below_0(-std::abs(g));
            const R both = (1 + eu) * (1 + eg);
            const R inverse = 1 / (both * (1 + e[i]));
            const R il = both * inverse;
            const R rest = (1 + e[i]) * inverse;
            const R iu = rest * (1 + eg);
            const R ig = rest * (1 + eu);
            nll[i] = (g < 0 ? -g : R(0)) - (u > 0 ? u : R(0)) + log_of((1 + eg) * iu);
            by_u[i] = u > 0 ? iu : eu * iu;
            d_gate[i] = by_u[i] - (g < 0 ? ig : eg * ig);
            e[i] = log_mean[i] + shift > log_theta[i] ? il : e[i] * il;
        }
        for (std::int32_t i = 0; i < count; ++i) {
            const R by_l = (theta[i] + kThetaOffset<R>)*e[i];
            const R slope = weight * by_u[i];
            gate[i] = weight * d_gate[i];
            d_mean[i] = slope * by_l;
            log_theta[i] = slope * (theta[i] * plus[i] - by_l);
        }
    } else {
        SoftLane<R> l;
        for (std::int32_t i = 0; i < count; ++i) l.set(i, (log_mean[i] + shift) - log_theta[i]);
        for (std::int32_t i = 0; i < count; ++i) {
            const R r = theta[i] + kThetaOffset<R>;
            const R by_l = r * l.sigmoid[i];
            nll[i] = r * l.plus[i];
            d_mean[i] = weight * by_l;
            log_theta[i] = weight * (theta[i] * l.plus[i] - by_l);
        }
    }
}

/// Entries other than zero, gathered before `nb_zeros` overwrites the heads, and put back after it.
template <class R, Inflation I>
struct NbEntries {
    alignas(64) Lane<R> x, log_factorial, log_mean, log_theta, gate, nll, d_mean, d_theta, d_gate;
    alignas(64) std::int32_t at[kTile];

    /// Entries up to whole vectors: copies of harmless numbers spare `compute` its remainder loops.
    std::int32_t padded = 0;

    void load(const HeadSlice<R>& head, const SparseSlice& slice) {
        const std::int32_t count = slice.count;
        padded = (count + 15) / 16 * 16;
        for (std::int32_t k = 0; k < count; ++k) at[k] = slice.columns[k] - slice.first;
        for (std::int32_t k = 0; k < count; ++k) x[k] = static_cast<R>(slice.values[k]);
        for (std::int32_t k = 0; k < count; ++k) log_mean[k] = head.mean[at[k]] + head.mean_shift;
        for (std::int32_t k = 0; k < count; ++k) log_theta[k] = head.log_scale[at[k]];
        if constexpr (I == Inflation::Zero)
            for (std::int32_t k = 0; k < count; ++k) gate[k] = head.gate[at[k]];
        for (R* array : {x, log_mean, log_theta, gate})
            std::fill(array + count, array + padded, R(0));
        load_factorials(padded);
    }

    /// From the table; whatever is no small whole number is computed.
    void load_factorials(std::int32_t count) {
        const R* table = detail::log_factorials<R>().data();
        std::int32_t others = 0;
        for (std::int32_t k = 0; k < count; ++k) {
            const R inside = x[k] < detail::kFactorials - 1 ? x[k] : R(detail::kFactorials - 1);
            const auto whole = static_cast<std::int32_t>(inside > 0 ? inside : R(0));
            log_factorial[k] = table[whole];
            others += static_cast<R>(whole) != x[k] ? 1 : 0;
        }
        if (others == 0) return;
        for (std::int32_t k = 0; k < count; ++k)
            log_factorial[k] = static_cast<R>(detail::log_factorial(x[k]));
    }

    void compute(R weight) {
        const std::int32_t count = padded;
        alignas(64) Lane<R> theta, lgamma, digamma;
        SoftLane<R> soft, g;
        for (std::int32_t k = 0; k < count; ++k) theta[k] = exp_of(log_theta[k]);
        for (std::int32_t k = 0; k < count; ++k) soft.set(k, log_mean[k] - log_theta[k]);
        if constexpr (I == Inflation::Zero)
            for (std::int32_t k = 0; k < count; ++k) g.set(k, gate[k]);
        for (std::int32_t k = 0; k < count; ++k) {
            const auto gamma = detail::gamma_difference<R>(theta[k] + kThetaOffset<R>, x[k]);
            lgamma[k] = gamma.lgamma;
            digamma[k] = gamma.digamma;
        }
        for (std::int32_t k = 0; k < count; ++k) {
            const R r = theta[k] + kThetaOffset<R>;
            const R l = log_mean[k] - log_theta[k];
            const R lp =
                (lgamma[k] - log_factorial[k]) + x[k] * (l - soft.plus[k]) - r * soft.plus[k];
            nll[k] = -lp;
            if constexpr (I == Inflation::Zero) {
                nll[k] += g.plus[k];  // g + softplus(-g) = softplus(g)
                d_gate[k] = weight * g.sigmoid[k];
            }
            const R by_l = x[k] * (1 - soft.sigmoid[k]) - r * soft.sigmoid[k];
            d_mean[k] = -weight * by_l;
            d_theta[k] = -weight * (theta[k] * (digamma[k] - soft.plus[k]) - by_l);
        }
    }

    void store(const HeadSlice<R>& head, const SparseSlice& slice, R* slice_nll) const {
        put(nll, slice.count, slice_nll);
        put(d_mean, slice.count, head.d_mean);
        put(d_theta, slice.count, head.log_scale);
        if constexpr (I == Inflation::Zero) put(d_gate, slice.count, head.gate);
    }

    /// Columns of a row are distinct.
    void put(const R* from, std::int32_t count, R* to) const {
#pragma GCC ivdep
        for (std::int32_t k = 0; k < count; ++k) to[at[k]] = from[k];
    }
};

/// Features that the row's sample did not measure have neither loss nor gradient.
template <class R>
double finish(const HeadSlice<R>& head, R* nll) {
    if (head.measured != nullptr)
        for (std::int32_t i = 0; i < head.count; ++i) {
            if (head.measured[i] != 0) continue;
            nll[i] = 0;
            head.d_mean[i] = 0;
            if (head.log_scale != nullptr) head.log_scale[i] = 0;
            if (head.gate != nullptr) head.gate[i] = 0;
        }
    return ordered_sum(nll, head.count);
}

template <class R, Inflation I>
double negative_binomial(const HeadSlice<R>& head, const SparseSlice& slice) {
    alignas(64) Lane<R> nll;
    NbEntries<R, I> entries;
    entries.load(head, slice);
    nb_zeros<R, I>(head, nll);
    entries.compute(head.weight);
    entries.store(head, slice, nll);
    return finish(head, nll);
}

/// The slice of x as a dense array.
template <class R>
void spread(const HeadSlice<R>& head, const SparseSlice& slice, R* x) {
    std::fill_n(x, head.count, R(0));
    for (std::int32_t k = 0; k < slice.count; ++k)
        x[slice.columns[k] - slice.first] = static_cast<R>(slice.values[k]);
}

template <class R, Inflation I, MeanScale S>
double normal(const HeadSlice<R>& head, const SparseSlice& slice) {
    alignas(64) Lane<R> nll, x;
    spread(head, slice, x);
    const R* __restrict mean = head.mean;
    R* __restrict d_mean = head.d_mean;
    R* __restrict log_sd = head.log_scale;
    R* __restrict gate = head.gate;
    const R weight = head.weight;
    const R shift = head.mean_shift;
    for (std::int32_t i = 0; i < head.count; ++i) {
        const R m = S == MeanScale::Log ? exp_of(mean[i] + shift) : mean[i] + shift;
        const R inverse = exp_of(-log_sd[i]);
        const R z = (x[i] - m) * inverse;
        const R lp = -(R(0.5) * z * z + log_sd[i] + kHalfLogTwoPi<R>);
        R d_lp = -1;
        if constexpr (I == Inflation::Zero) {
            const Gated<R> at_zero = gated_zero(lp, gate[i]);
            const Gated<R> elsewhere = gated_nonzero(lp, gate[i]);
            const bool zero = x[i] == 0;
            nll[i] = zero ? at_zero.nll : elsewhere.nll;
            d_lp = zero ? at_zero.d_lp : elsewhere.d_lp;
            gate[i] = weight * (zero ? at_zero.d_gate : elsewhere.d_gate);
        } else {
            nll[i] = -lp;
        }
        const R by_mean = z * inverse;
        d_mean[i] = weight * d_lp * (S == MeanScale::Log ? by_mean * m : by_mean);
        log_sd[i] = weight * d_lp * (z * z - 1);
    }
    return finish(head, nll);
}

template <class R, MeanScale S>
double squared_error(const HeadSlice<R>& head, const SparseSlice& slice) {
    alignas(64) Lane<R> nll, x;
    spread(head, slice, x);
    for (std::int32_t i = 0; i < head.count; ++i) {
        const R shifted = head.mean[i] + head.mean_shift;
        const R m = S == MeanScale::Log ? exp_of(shifted) : shifted;
        const R difference = m - x[i];
        nll[i] = difference * difference;
        const R slope = 2 * head.weight * difference;
        head.d_mean[i] = S == MeanScale::Log ? slope * m : slope;
    }
    return finish(head, nll);
}

}  // namespace

template <class R>
double nb_slice(const HeadSlice<R>& head, const SparseSlice& x) {
    return negative_binomial<R, Inflation::None>(head, x);
}

template <class R>
double zinb_slice(const HeadSlice<R>& head, const SparseSlice& x) {
    return negative_binomial<R, Inflation::Zero>(head, x);
}

template <class R>
double gaussian_slice(const HeadSlice<R>& head, const SparseSlice& x, MeanScale scale) {
    return scale == MeanScale::Log ? normal<R, Inflation::None, MeanScale::Log>(head, x)
                                   : normal<R, Inflation::None, MeanScale::Linear>(head, x);
}

template <class R>
double zero_inflated_gaussian_slice(const HeadSlice<R>& head, const SparseSlice& x,
                                    MeanScale scale) {
    return scale == MeanScale::Log ? normal<R, Inflation::Zero, MeanScale::Log>(head, x)
                                   : normal<R, Inflation::Zero, MeanScale::Linear>(head, x);
}

template <class R>
double squared_error_slice(const HeadSlice<R>& head, const SparseSlice& x, MeanScale scale) {
    return scale == MeanScale::Log ? squared_error<R, MeanScale::Log>(head, x)
                                   : squared_error<R, MeanScale::Linear>(head, x);
}

template <class R>
SoftmaxPart softmax_part(std::span<R> logits, const std::uint8_t* measured) {
    constexpr auto kUnmeasured = static_cast<R>(-1e30);
    if (measured != nullptr)
        for (std::size_t i = 0; i < logits.size(); ++i)
            if (measured[i] == 0) logits[i] = kUnmeasured;
    R lane[16];
    std::fill_n(lane, 16, kUnmeasured);
    std::size_t i = 0;
    for (; i + 16 <= logits.size(); i += 16)
        for (std::size_t k = 0; k < 16; ++k)
            lane[k] = logits[i + k] > lane[k] ? logits[i + k] : lane[k];
    for (; i < logits.size(); ++i) lane[0] = logits[i] > lane[0] ? logits[i] : lane[0];
    const R largest = *std::max_element(lane, lane + 16);
    alignas(64) R part[kTile];
    double sum = 0;
    for (std::size_t first = 0; first < logits.size(); first += kTile) {
        const std::size_t count = std::min<std::size_t>(kTile, logits.size() - first);
        for (std::size_t k = 0; k < count; ++k) part[k] = exp_of(logits[first + k] - largest);
        sum += ordered_sum(part, static_cast<std::int64_t>(count));
    }
    return {static_cast<double>(largest), sum};
}

double log_sum_exp(std::span<const SoftmaxPart> parts) {
    double largest = parts.front().largest;
    for (const SoftmaxPart& part : parts) largest = std::max(largest, part.largest);
    double sum = 0;
    for (const SoftmaxPart& part : parts) sum += part.sum * std::exp(part.largest - largest);
    return largest + std::log(sum);
}

template <class R>
void softmax_backward(std::span<const R> logits, double log_sum, std::span<const R> d, R d_sum,
                      std::span<R> out) {
    const auto shift = static_cast<R>(log_sum);
    for (std::size_t i = 0; i < d.size(); ++i) out[i] = d[i] - exp_of(logits[i] - shift) * d_sum;
}

template <class R>
double slice_sum(std::span<const R> values) {
    return ordered_sum(values.data(), static_cast<std::int64_t>(values.size()));
}

template <class R>
void log_mean(std::span<R> logits, double library, const std::uint8_t* measured) {
    const SoftmaxPart whole = softmax_part(logits, measured);
    const auto shift = static_cast<R>(std::log(library) - log_sum_exp({&whole, 1}));
    for (R& value : logits) value += shift;
}

template <class R>
void exponential(std::span<R> values) {
    for (R& value : values) value = exp_of(value);
}

template double nb_slice<float>(const HeadSlice<float>&, const SparseSlice&);
template double nb_slice<double>(const HeadSlice<double>&, const SparseSlice&);
template double zinb_slice<float>(const HeadSlice<float>&, const SparseSlice&);
template double zinb_slice<double>(const HeadSlice<double>&, const SparseSlice&);
template double gaussian_slice<float>(const HeadSlice<float>&, const SparseSlice&, MeanScale);
template double gaussian_slice<double>(const HeadSlice<double>&, const SparseSlice&, MeanScale);
template double zero_inflated_gaussian_slice<float>(const HeadSlice<float>&, const SparseSlice&,
                                                    MeanScale);
template double zero_inflated_gaussian_slice<double>(const HeadSlice<double>&, const SparseSlice&,
                                                     MeanScale);
template double squared_error_slice<float>(const HeadSlice<float>&, const SparseSlice&, MeanScale);
template double squared_error_slice<double>(const HeadSlice<double>&, const SparseSlice&,
                                            MeanScale);
template SoftmaxPart softmax_part<float>(std::span<float>, const std::uint8_t*);
template SoftmaxPart softmax_part<double>(std::span<double>, const std::uint8_t*);
template void softmax_backward<float>(std::span<const float>, double, std::span<const float>, float,
                                      std::span<float>);
template void softmax_backward<double>(std::span<const double>, double, std::span<const double>,
                                       double, std::span<double>);
template double slice_sum<float>(std::span<const float>);
template double slice_sum<double>(std::span<const double>);
template void log_mean<float>(std::span<float>, double, const std::uint8_t*);
template void log_mean<double>(std::span<double>, double, const std::uint8_t*);
template void exponential<float>(std::span<float>);
template void exponential<double>(std::span<double>);

}  // namespace smeta::nn
