#include "smeta/nn/likelihood.hpp"

#include <algorithm>

#include "gamma_terms.hpp"

namespace smeta::nn {

namespace {

using detail::exp_below_0;
using detail::exp_of;
using detail::log1p_unit;
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

/// x == 0: -(softplus(lp - g) - softplus(-g)), lp = -r softplus(l), with all that depends on l. The
/// three sigmoids share one division.
template <class R>
struct GatedZero {
    Gated<R> gated;
    R plus;     ///< softplus(l)
    R sigmoid;  ///< of l
};
template <class R>
inline GatedZero<R> gated_zero_nb(R r, R l, R g) {
    const R el = exp_below_0(-std::abs(l));
    const R plus = (l > 0 ? l : R(0)) + log1p_unit(el);
    const R u = -r * plus - g;
    const R eu = exp_below_0(-std::abs(u));
    const R eg = exp_below_0(-std::abs(g));
    const R al = 1 + el;
    const R au = 1 + eu;
    const R ag = 1 + eg;
    const R lu = al * au;
    const R inverse = 1 / (lu * ag);
    const R il = inverse * (au * ag);
    const R iu = inverse * (al * ag);
    const R ig = inverse * lu;
    const R su = u > 0 ? iu : eu * iu;
    const R sg = g < 0 ? ig : eg * ig;
    const R nll = (g < 0 ? -g : R(0)) - (u > 0 ? u : R(0)) + (log1p_unit(eg) - log1p_unit(eu));
    return {{nll, -su, su - sg}, plus, l > 0 ? il : el * il};
}

/// The same for any lp.
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

/// The whole slice as if every x were 0.
template <class R, Inflation I>
void nb_zeros(const HeadSlice<R>& head, R* nll) {
    const R* __restrict log_mean = head.mean;
    R* __restrict d_mean = head.d_mean;
    R* __restrict log_theta = head.log_scale;
    R* __restrict gate = head.gate;
    const R weight = head.weight;
    for (std::int32_t i = 0; i < head.count; ++i) {
        const R theta = exp_of(log_theta[i]);
        const R r = theta + kThetaOffset<R>;
        const R l = log_mean[i] - log_theta[i];
        R d_lp = -1;
        detail::Soft<R> s;
        if constexpr (I == Inflation::Zero) {
            const GatedZero<R> zero = gated_zero_nb(r, l, gate[i]);
            nll[i] = zero.gated.nll;
            d_lp = zero.gated.d_lp;
            gate[i] = weight * zero.gated.d_gate;
            s = {zero.plus, zero.sigmoid};
        } else {
            s = detail::soft(l);
            nll[i] = r * s.plus;
        }
        const R by_l = -r * s.sigmoid;
        d_mean[i] = weight * d_lp * by_l;
        log_theta[i] = weight * d_lp * (-theta * s.plus - by_l);
    }
}

/// Entries other than zero, gathered before `nb_zeros` overwrites the heads, and put back after it.
template <class R, Inflation I>
struct NbEntries {
    alignas(64) Lane<R> x, log_factorial, log_mean, log_theta, gate, nll, d_mean, d_theta, d_gate;
    alignas(64) std::int32_t at[kTile];

    void load(const HeadSlice<R>& head, const SparseSlice& slice) {
        const std::int32_t count = slice.count;
        for (std::int32_t k = 0; k < count; ++k) at[k] = slice.columns[k] - slice.first;
        for (std::int32_t k = 0; k < count; ++k) x[k] = static_cast<R>(slice.values[k]);
        for (std::int32_t k = 0; k < count; ++k) log_mean[k] = head.mean[at[k]];
        for (std::int32_t k = 0; k < count; ++k) log_theta[k] = head.log_scale[at[k]];
        if constexpr (I == Inflation::Zero)
            for (std::int32_t k = 0; k < count; ++k) gate[k] = head.gate[at[k]];
        load_factorials(count);
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

    void compute(std::int32_t count, R weight) {
        for (std::int32_t k = 0; k < count; ++k) {
            const R theta = exp_of(log_theta[k]);
            const R r = theta + kThetaOffset<R>;
            const R l = log_mean[k] - log_theta[k];
            const detail::Soft<R> s = detail::soft(l);
            const detail::GammaDifference<R> gamma = detail::gamma_difference(r, x[k]);
            const R lp = (gamma.lgamma - log_factorial[k]) + x[k] * (l - s.plus) - r * s.plus;
            if constexpr (I == Inflation::Zero) {
                const Gated<R> gated = gated_nonzero(lp, gate[k]);
                nll[k] = gated.nll;
                d_gate[k] = weight * gated.d_gate;
            } else {
                nll[k] = -lp;
            }
            const R by_l = x[k] * (1 - s.sigmoid) - r * s.sigmoid;
            d_mean[k] = -weight * by_l;
            d_theta[k] = -weight * (theta * (gamma.digamma - s.plus) - by_l);
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
    entries.compute(slice.count, head.weight);
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
    for (std::int32_t i = 0; i < head.count; ++i) {
        const R m = S == MeanScale::Log ? exp_of(mean[i]) : mean[i];
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
        const R m = S == MeanScale::Log ? exp_of(head.mean[i]) : head.mean[i];
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
void log_mean_forward(std::span<R> logits, double library, const std::uint8_t* measured) {
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
    const auto shift =
        static_cast<R>(std::log(library) - std::log(sum) - static_cast<double>(largest));
    for (R& value : logits) value += shift;
}

template <class R>
void log_mean_backward(std::span<const R> log_mean, double library, std::span<R> d) {
    const auto sum = static_cast<R>(ordered_sum(d.data(), static_cast<std::int64_t>(d.size())));
    const auto log_library = static_cast<R>(std::log(library));
    for (std::size_t i = 0; i < d.size(); ++i) d[i] -= exp_of(log_mean[i] - log_library) * sum;
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
template void log_mean_forward<float>(std::span<float>, double, const std::uint8_t*);
template void log_mean_forward<double>(std::span<double>, double, const std::uint8_t*);
template void log_mean_backward<float>(std::span<const float>, double, std::span<float>);
template void log_mean_backward<double>(std::span<const double>, double, std::span<double>);
template void exponential<float>(std::span<float>);
template void exponential<double>(std::span<double>);

}  // namespace smeta::nn
