#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/nn/gemm.hpp"

namespace smeta::nn {

/// Added to exp of the variance head (spec A7).
inline constexpr double kVarianceOffset = 1e-4;

/// KL divergence of one row from N(0, 1): sum over l of (var + mean^2 - 1 - log var) / 2, var =
/// exp(log_variance) + 1e-4. Adds weight times its gradients to d_mean and d_variance (by var, not
/// by its logarithm).
template <class R>
double kl_row(std::span<const R> mean, std::span<const R> variance, R weight, std::span<R> d_mean,
              std::span<R> d_variance);

/// Widths of the MMD's kernel k(x, y) = sum over alpha of exp(-|x - y|^2 / (2 alpha)) (spec A8).
inline constexpr double kMmdWidths[19] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1,   5,   10, 15,
                                          20,   25,   30,   35,   100,  1e3,  1e4, 1e5, 1e6};
/// A category with fewer rows than this in the mini-batch is left out of the MMD.
inline constexpr std::int64_t kMmdLeastRows = 3;

/// All rows of the mini-batch.
template <class R>
struct MmdRows {
    std::span<const R> latent;            ///< rows x width
    std::span<const std::int32_t> codes;  ///< rows x levels; -1: the row is in no category
    std::int64_t rows = 0;
    std::int32_t width = 0;
    std::int32_t levels = 0;
};

/// Weight of each pair of rows in the sum over levels and pairs of categories of
/// mean k(A, A) + mean k(B, B) - 2 mean k(A, B), each unordered pair of categories once: rows i, j
/// of one category of n rows among V counted ones have (V - 1) / n^2, of two categories -1 / (n_a
/// n_b); the loss is the sum over all ordered (i, j).
class MmdWeights {
  public:
    MmdWeights(std::span<const std::int32_t> codes, std::int64_t rows, std::int32_t levels);
    /// Whether row i has any weight.
    bool counts(std::int64_t i) const;
    /// Adds up the levels' weights of row i with every row. `weight` has one entry a row.
    void row(std::int64_t i, std::span<double> weight) const;

  private:
    std::span<const std::int32_t> codes_;
    std::int64_t rows_;
    std::int32_t levels_;
    std::vector<std::vector<double>> inverse_count_;  ///< a level: by category, 1 / n or 0
    std::vector<double> others_;                      ///< a level: counted categories - 1
};

/// Row i's share of the loss; adds scale times the loss's gradient by the row's latent to
/// `d_latent`. Local. The plain form: training uses `MmdBatch`.
template <class R>
double mmd_row(const MmdRows<R>& all, const MmdWeights& weights, std::int64_t i, double scale,
               std::span<R> d_latent);

/// All rows of a mini-batch laid out for many calls of `row`: components and categories side by
/// side over the rows, so that 64 pairs are computed at once. Kernel terms that cannot change a
/// float's last digit are skipped; others share exponentials and a polynomial (docs/numerics.md).
template <class R>
class MmdBatch {
  public:
    /// Takes the rows over; buffers are reused.
    void assign(const MmdRows<R>& all);
    /// Equals `mmd_row`; `factors` is a buffer of the caller's. Several threads may call it at
    /// once.
    double row(std::int64_t i, double scale, std::span<R> d_latent, std::vector<R>& factors) const;

  private:
    void weights_of(std::int64_t i, std::int64_t first, R* weight) const;

    std::int64_t rows_ = 0;
    std::int64_t padded_ = 0;  ///< rows rounded up to whole vectors; padding has weight 0
    std::int32_t width_ = 0;
    std::int32_t levels_ = 0;
    std::vector<R> components_;        ///< width x padded
    std::vector<std::int32_t> codes_;  ///< levels x padded
    std::vector<R> inverse_;           ///< levels x padded: 1 / rows of the row's category, or 0
    std::vector<R> others_;            ///< a level: counted categories - 1
    std::vector<double> count_;
};

extern template class MmdBatch<float>;
extern template class MmdBatch<double>;

}  // namespace smeta::nn
