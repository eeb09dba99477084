#include "smeta/nn/gemm.hpp"

namespace smeta::nn {

namespace {

template <class Product, class R>
void assign(const Product& value, View<R>& c, Target target) {
    if (target == Target::Replace)
        c.noalias() = value;
    else
        c.noalias() += value;
}

}  // namespace

template <class R>
void product(const ConstView<R>& a, const ConstView<R>& b, View<R> c, Target target) {
    assign(a * b, c, target);
}

template <class R>
void product_transposed_left(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
                             Target target) {
    assign(a.transpose() * b, c, target);
}

template <class R>
void product_transposed_right(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
                              Target target) {
    assign(a * b.transpose(), c, target);
}

template <class R>
void add_row(const ConstView<R>& row, View<R> x) {
    const R* value = row.data();
    for (Eigen::Index r = 0; r < x.rows(); ++r) {
        R* out = x.data() + r * x.outerStride();
        for (Eigen::Index c = 0; c < x.cols(); ++c) out[c] += value[c];
    }
}

template <class R>
void column_sum(const ConstView<R>& x, View<R> sum, Target target) {
    if (target == Target::Replace) sum.setZero();
    R* out = sum.data();
    for (Eigen::Index r = 0; r < x.rows(); ++r) {
        const R* value = x.data() + r * x.outerStride();
        for (Eigen::Index c = 0; c < x.cols(); ++c) out[c] += value[c];
    }
}

template void product<float>(const ConstView<float>&, const ConstView<float>&, View<float>, Target);
template void product<double>(const ConstView<double>&, const ConstView<double>&, View<double>,
                              Target);
template void product_transposed_left<float>(const ConstView<float>&, const ConstView<float>&,
                                             View<float>, Target);
template void product_transposed_left<double>(const ConstView<double>&, const ConstView<double>&,
                                              View<double>, Target);
template void product_transposed_right<float>(const ConstView<float>&, const ConstView<float>&,
                                              View<float>, Target);
template void product_transposed_right<double>(const ConstView<double>&, const ConstView<double>&,
                                               View<double>, Target);
template void add_row<float>(const ConstView<float>&, View<float>);
template void add_row<double>(const ConstView<double>&, View<double>);
template void column_sum<float>(const ConstView<float>&, View<float>, Target);
template void column_sum<double>(const ConstView<double>&, View<double>, Target);

}  // namespace smeta::nn
