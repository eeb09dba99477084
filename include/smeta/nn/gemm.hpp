#pragma once

#include "smeta/core/matrix.hpp"

namespace smeta::nn {

/// Row-major matrices and blocks of them (unit stride within a row).
template <class R>
using View = Eigen::Ref<core::Matrix<R>, 0, Eigen::OuterStride<>>;
template <class R>
using ConstView = Eigen::Ref<const core::Matrix<R>, 0, Eigen::OuterStride<>>;

/// Whether a product replaces its target or is added to it.
enum class Target { Replace, Add };

/// c = a b, single-threaded. The bits depend on the shapes and strides alone
/// (docs/decisions/0020-products-by-eigen.md says why these are Eigen's products).
template <class R>
void product(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
             Target target = Target::Replace);
/// c = a' b: the gradient of a weight.
template <class R>
void product_transposed_left(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
                             Target target = Target::Replace);
/// c = a b': the gradient of an input.
template <class R>
void product_transposed_right(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
                              Target target = Target::Replace);

/// Adds `row` (1 x cols) to every row of x.
template <class R>
void add_row(const ConstView<R>& row, View<R> x);
/// sum (1 x cols) = column sums of x, row after row.
template <class R>
void column_sum(const ConstView<R>& x, View<R> sum, Target target = Target::Replace);

}  // namespace smeta::nn
