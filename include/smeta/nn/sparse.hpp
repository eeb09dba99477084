#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/nn/gemm.hpp"

namespace smeta::nn {

/// What a first layer sees of the stored values. Log1p takes values below 0 as 0.
enum class Transform { None, Log1p };

/// Share of non-zero entries above which a dense product is faster than a sparse one (measured:
/// docs/numerics.md).
inline constexpr double kDenseAbove = 0.4;

/// Features of a block: its rows of a weight of 128 columns fit into a first-level cache.
inline constexpr std::int64_t kInputBlock = 64;

/// The input of a first layer: rows x features, dense or by rows, after the transform.
template <class R>
struct LayerInput {
    std::int64_t rows = 0;
    std::int32_t cols = 0;
    bool is_dense = false;
    core::Matrix<R> dense;                 ///< rows x cols when dense
    std::span<const std::int32_t> column;  ///< the caller's, ascending in a row
    std::vector<R> value;
    /// (blocks + 1) x rows: where each row's entries of each block of features begin.
    std::vector<std::int64_t> block_start;
};

/// Transforms the values and chooses the form; buffers of `input` are reused. The sparse form goes
/// on using the indices of `values`.
template <class R>
void prepare_input(const core::CsrView& values, Transform transform, LayerInput<R>& input,
                   double dense_above = kDenseAbove);

/// y (rows x out) = x w, with w (cols x out). Per row the entries are added in the order of
/// columns.
template <class R>
void input_forward(const LayerInput<R>& x, const ConstView<R>& w, View<R> y);
/// Features [first, first + rows of dw) of x' dy, the gradient of w; per feature in the order of
/// rows. `first` is a multiple of kInputBlock, and the rows of dw are or end with the features.
template <class R>
void input_backward(const LayerInput<R>& x, const ConstView<R>& dy, std::int64_t first, View<R> dw,
                    Target target = Target::Replace);

}  // namespace smeta::nn
