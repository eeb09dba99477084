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

/// c = a b, single-threaded. Every element is one chain of fused multiply-adds in the order of the
/// inner index: its bits do not depend on the other rows and columns of the product, nor on strides
/// and alignment (docs/decisions/0021-own-products.md).
template <class R>
void product(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
             Target target = Target::Replace);
/// c = a b with `row` (1 x columns) added to every row: a Linear with its bias.
template <class R>
void product_plus_row(const ConstView<R>& a, const ConstView<R>& b, const ConstView<R>& row,
                      View<R> c);
/// c = a' b: the gradient of a weight.
template <class R>
void product_transposed_left(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
                             Target target = Target::Replace);
/// c = a b': the gradient of an input.
template <class R>
void product_transposed_right(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
                              Target target = Target::Replace);

/// A right factor laid out as the kernel reads it, once for several products. Buffers are reused.
template <class R>
class PackedRight {
  public:
    /// For factors of up to depth x columns, so that no later call allocates.
    void reserve(std::int64_t depth, std::int64_t columns);
    /// b itself.
    void assign(const ConstView<R>& b);
    /// b'.
    void assign_transposed(const ConstView<R>& b);
    const R* data() const { return packed_.data(); }

  private:
    core::Matrix<R> packed_;
};
/// As with the factor itself, bit by bit; a's and c's columns are the factor's rows and columns.
template <class R>
void product(const ConstView<R>& a, const PackedRight<R>& b, View<R> c,
             Target target = Target::Replace);
template <class R>
void product_plus_row(const ConstView<R>& a, const PackedRight<R>& b, const ConstView<R>& row,
                      View<R> c);

/// Adds `row` (1 x cols) to every row of x.
template <class R>
void add_row(const ConstView<R>& row, View<R> x);
/// sum (1 x cols) = column sums of x, row after row.
template <class R>
void column_sum(const ConstView<R>& x, View<R> sum, Target target = Target::Replace);

}  // namespace smeta::nn
