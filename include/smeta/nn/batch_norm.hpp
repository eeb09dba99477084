#pragma once

#include <span>

#include "smeta/core/random.hpp"
#include "smeta/nn/gemm.hpp"

namespace smeta::nn {

/// BatchNorm as two kernels around a sum over chunks and ranks (spec A7; Ioffe and Szegedy 2015).
inline constexpr double kBatchNormEpsilon = 1e-3;
inline constexpr double kBatchNormMomentum = 0.01;

/// What normalises a column: (x - mean) * inverse_sd.
template <class R>
struct Normaliser {
    core::Matrix<R> mean;        ///< 1 x columns
    core::Matrix<R> inverse_sd;  ///< 1 x columns
};

/// sums[0 .. cols) = column sums of x, sums[cols .. 2 cols) = column sums of squares, in double and
/// row order: the variance from them is exact to 2^-52 (mean^2 + variance), far below the epsilon.
/// Replaces `sums`.
template <class R>
void batch_norm_sums(const ConstView<R>& x, std::span<double> sums);

/// From the sums over `count` rows: the biased batch variance normalises; running statistics move
/// by the momentum, with the unbiased variance, unless there are fewer than two rows. Without rows:
/// mean 0, variance 1.
template <class R>
void batch_normaliser(std::span<const double> sums, double count, View<R> running_mean,
                      View<R> running_var, Normaliser<R>& result);
/// Of evaluation mode.
template <class R>
Normaliser<R> running_normaliser(const ConstView<R>& running_mean, const ConstView<R>& running_var);

/// x becomes its normalised value; y = max(0, gamma x + beta) times `keep` (0, or 1 / (1 - p);
/// empty: 1).
template <class R>
void batch_norm_relu_forward(const Normaliser<R>& normaliser, const ConstView<R>& gamma,
                             const ConstView<R>& beta, std::span<const R> keep, View<R> x,
                             View<R> y);

/// dy becomes the gradient at the BatchNorm's output (through dropout with `scale` = 1 / (1 - p),
/// and ReLU, both read from y); sums[0 .. cols) = column sums of it, sums[cols ..) = column sums of
/// it times the normalised x. Replaces `sums`.
template <class R>
void batch_norm_relu_backward_sums(const ConstView<R>& normalised, const ConstView<R>& y, R scale,
                                   View<R> dy, std::span<double> sums);
/// dy becomes the gradient at the BatchNorm's input; `sums` are over all `count` rows.
template <class R>
void batch_norm_backward(const Normaliser<R>& normaliser, const ConstView<R>& gamma,
                         const ConstView<R>& normalised, std::span<const double> sums, double count,
                         View<R> dy);

/// Dropout factors of one row: 0 with probability p, else 1 / (1 - p). Unit u uses 32 bits of block
/// first_block + u / 8.
template <class R>
void dropout_row(const core::Philox& draws, std::uint64_t first_block, double p, std::span<R> keep);

}  // namespace smeta::nn
