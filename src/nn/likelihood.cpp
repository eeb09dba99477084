#include "smeta/nn/likelihood.hpp"

#include <algorithm>

#include "negative_binomial.hpp"

namespace smeta::nn {

namespace {

using detail::exp_of;
using detail::Inflation;
using detail::Lane;
using detail::ordered_sum;

template <class R>
constexpr R kHalfLogTwoPi = static_cast<R>(0.91893853320467274178);

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

/// Features that the row's sample did not measure have neither loss nor gradient; `no_loss` takes
/// each of them.
template <class R, class Body>
void leave_out_unmeasured(const HeadSlice<R>& head, const Body& no_loss) {
    if (head.measured == nullptr) return;
    for (std::int32_t i = 0; i < head.count; ++i) {
        if (head.measured[i] != 0) continue;
        no_loss(i);
        head.d_mean[i] = 0;
        if (head.log_scale != nullptr) head.log_scale[i] = 0;
        if (head.gate != nullptr) head.gate[i] = 0;
    }
}

template <class R>
double finish(const HeadSlice<R>& head, R* nll) {
    leave_out_unmeasured(head, [&](std::int32_t i) { nll[i] = 0; });
    return ordered_sum(nll, head.count);
}

template <class R, Inflation I>
double negative_binomial(const HeadSlice<R>& head, const SparseSlice& slice) {
    detail::NbLosses<R> losses;
    detail::nb_features<R, I>(head, slice, losses);
    leave_out_unmeasured(head, [&](std::int32_t i) { losses.set(i, 0); });
    return losses.sum(head.count);
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
