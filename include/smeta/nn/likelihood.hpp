#pragma once

#include <cstdint>
#include <span>

#include "smeta/nn/gemm.hpp"

namespace smeta::nn {

/// Features of one tile: the most that a slice may have.
inline constexpr std::int32_t kTile = 512;

/// Consecutive features of one row: what the heads gave, and where their gradients go. `log_scale`
/// and `gate` hold the heads' outputs before the call and their gradients after it. Gradients are
/// of `weight` times the negative log likelihood.
template <class R>
struct HeadSlice {
    std::int32_t count = 0;                  ///< features, at most kTile
    const R* mean = nullptr;                 ///< log mu (softmax heads) or the mean itself
    R* d_mean = nullptr;                     ///< gradient at `mean`
    R* log_scale = nullptr;                  ///< log theta or log sd; unused by squared error
    R* gate = nullptr;                       ///< logits of the zero inflation; unused without one
    const std::uint8_t* measured = nullptr;  ///< 0: the feature has no loss; null: all measured
    R weight = 1;
    R mean_shift = 0;  ///< added to `mean`: from a softmax's logits to log mu
};

/// The row's entries other than zero in the slice; columns count from `first`.
struct SparseSlice {
    const std::int32_t* columns = nullptr;
    const float* values = nullptr;
    std::int32_t count = 0;
    std::int32_t first = 0;
};

/// Whether `HeadSlice::mean` is the logarithm of the mean.
enum class MeanScale { Log, Linear };

/// Each returns the slice's negative log likelihood, unweighted, summed in a fixed order in double
/// (spec A8). Local. NB: r = theta + 1e-6, l = log mu - log theta; ZINB in the gate's logits,
/// closed form at 0; `mean` is log mu.
template <class R>
double nb_slice(const HeadSlice<R>& head, const SparseSlice& x);
template <class R>
double zinb_slice(const HeadSlice<R>& head, const SparseSlice& x);
/// Normal with sd = exp(log_scale).
template <class R>
double gaussian_slice(const HeadSlice<R>& head, const SparseSlice& x, MeanScale scale);
/// The same, with zero inflation where x is exactly 0.
template <class R>
double zero_inflated_gaussian_slice(const HeadSlice<R>& head, const SparseSlice& x,
                                    MeanScale scale);
/// Sum of squared differences.
template <class R>
double squared_error_slice(const HeadSlice<R>& head, const SparseSlice& x, MeanScale scale);

/// Of some logits of a row: the largest, and the sum of exp(logit - largest).
struct SoftmaxPart {
    double largest = 0;
    double sum = 0;
};
/// Logits of features that are not measured (null: all are) become -1e30. Local.
template <class R>
SoftmaxPart softmax_part(std::span<R> logits, const std::uint8_t* measured);
/// Logarithm of the sum of exp over all parts of a row, in their order.
double log_sum_exp(std::span<const SoftmaxPart> parts);
/// Gradient at some logits of a row: d - softmax * d_sum, with `d` the gradient at log mu and
/// `d_sum` its sum over the whole row. `out` may be `d`.
template <class R>
void softmax_backward(std::span<const R> logits, double log_sum, std::span<const R> d, R d_sum,
                      std::span<R> out);
/// Sum in a fixed order.
template <class R>
double slice_sum(std::span<const R> values);
/// Logits of a whole row become log softmax + log library.
template <class R>
void log_mean(std::span<R> logits, double library, const std::uint8_t* measured);
/// exp of every element.
template <class R>
void exponential(std::span<R> values);

}  // namespace smeta::nn
