#pragma once

#include <cstdint>
#include <vector>

#include "smeta/nn/gemm.hpp"

namespace smeta::nn {

/// What a first layer sees of the stored values. Log1p takes values below 0 as 0.
enum class Transform { None, Log1p };

/// Share of non-zero entries above which a dense product is faster than a sparse one (measured:
/// docs/numerics.md).
inline constexpr double kDenseAbove = 0.4;

/// The input of a first layer: rows x features, dense or by rows and by columns, after the
/// transform.
template <class R>
struct LayerInput {
    std::int64_t rows = 0;
    std::int32_t cols = 0;
    bool is_dense = false;
    core::Matrix<R> dense;                ///< rows x cols when dense
    std::vector<std::int64_t> row_start;  ///< rows + 1
    std::vector<std::int32_t> column;     ///< of each entry, by rows
    std::vector<R> by_row;
    std::vector<std::int64_t> column_start;  ///< cols + 1
    std::vector<std::int32_t> row;           ///< of each entry, by columns
    std::vector<R> by_column;
    std::vector<std::int64_t> next;  ///< working space of `prepare_input`
};

/// Transforms the values and chooses the form; buffers of `input` are reused.
template <class R>
void prepare_input(const core::CsrView& values, Transform transform, LayerInput<R>& input,
                   double dense_above = kDenseAbove);

/// y (rows x out) = x w, with w (cols x out). Per row the entries are added in the order of
/// columns.
template <class R>
void input_forward(const LayerInput<R>& x, const ConstView<R>& w, View<R> y);
/// Features [first, first + rows of dw) of x' dy, the gradient of w.
template <class R>
void input_backward(const LayerInput<R>& x, const ConstView<R>& dy, std::int64_t first, View<R> dw,
                    Target target = Target::Replace);

}  // namespace smeta::nn
