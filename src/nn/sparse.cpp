#include "smeta/nn/sparse.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "vector_math.hpp"

namespace smeta::nn {

namespace {

constexpr Eigen::Index kBlock = 64;

/// out[0 .. kBlock) = (or +=) sum over entries of value * base[index * stride + ...], with the sums
/// in registers.
template <class R>
void gather_block(const std::int32_t* index, const R* value, std::int64_t count, const R* base,
                  Eigen::Index stride, R* out, Target target) {
    using Block = Eigen::Array<R, 16, 1>;
    using BlockMap = Eigen::Map<const Block>;
    Block a = Block::Zero(), b = Block::Zero(), c = Block::Zero(), d = Block::Zero();
    if (target == Target::Add) {
        a = BlockMap(out);
        b = BlockMap(out + 16);
        c = BlockMap(out + 32);
        d = BlockMap(out + 48);
    }
    for (std::int64_t i = 0; i < count; ++i) {
        const R* from = base + index[i] * stride;
        const R factor = value[i];
        a += factor * BlockMap(from);
        b += factor * BlockMap(from + 16);
        c += factor * BlockMap(from + 32);
        d += factor * BlockMap(from + 48);
    }
    Block::Map(out) = a;
    Block::Map(out + 16) = b;
    Block::Map(out + 32) = c;
    Block::Map(out + 48) = d;
}

template <class R>
void gather(const std::int32_t* index, const R* value, std::int64_t count, const ConstView<R>& from,
            R* out, Target target) {
    Eigen::Index first = 0;
    for (; first + kBlock <= from.cols(); first += kBlock)
        gather_block(index, value, count, from.data() + first, from.outerStride(), out + first,
                     target);
    const Eigen::Index rest = from.cols() - first;
    if (rest == 0) return;
    if (target == Target::Replace) std::fill_n(out + first, rest, R(0));
    for (std::int64_t i = 0; i < count; ++i) {
        const R* row = from.data() + index[i] * from.outerStride() + first;
        for (Eigen::Index c = 0; c < rest; ++c) out[first + c] += value[i] * row[c];
    }
}

template <class R>
void fill_columns(LayerInput<R>& input) {
    input.column_start.assign(static_cast<std::size_t>(input.cols) + 1, 0);
    for (const std::int32_t c : input.column) ++input.column_start[static_cast<std::size_t>(c) + 1];
    std::partial_sum(input.column_start.begin(), input.column_start.end(),
                     input.column_start.begin());
    input.row.resize(input.column.size());
    input.by_column.resize(input.column.size());
    std::vector<std::int64_t>& next = input.next;
    next.assign(input.column_start.begin(), input.column_start.end() - 1);
    for (std::int64_t r = 0; r < input.rows; ++r)
        for (std::int64_t i = input.row_start[r]; i < input.row_start[r + 1]; ++i) {
            const std::int64_t to = next[static_cast<std::size_t>(input.column[i])]++;
            input.row[to] = static_cast<std::int32_t>(r);
            input.by_column[to] = input.by_row[i];
        }
}

}  // namespace

template <class R>
void prepare_input(const core::CsrView& values, Transform transform, LayerInput<R>& input,
                   double dense_above) {
    input.rows = values.rows;
    input.cols = values.cols;
    const std::int64_t nnz = values.nnz();
    input.is_dense =
        static_cast<double>(nnz) > dense_above * static_cast<double>(values.rows) * values.cols;
    const auto seen = [transform](float v) {
        if (transform == Transform::None) return static_cast<R>(v);
        return detail::log1p_of(static_cast<R>(v < 0 ? 0.0F : v));
    };
    if (input.is_dense) {
        input.dense.setZero(values.rows, values.cols);
        for (std::int64_t r = 0; r < values.rows; ++r) {
            const auto columns = values.row_indices(r);
            const auto entries = values.row_values(r);
            for (std::size_t i = 0; i < columns.size(); ++i)
                input.dense(r, columns[i]) = seen(entries[i]);
        }
        return;
    }
    input.row_start.resize(static_cast<std::size_t>(values.rows) + 1);
    for (std::int64_t r = 0; r <= values.rows; ++r)
        input.row_start[r] = values.rows == 0 ? 0 : values.indptr[r] - values.indptr[0];
    input.column.assign(values.indices.begin(), values.indices.begin() + nnz);
    input.by_row.resize(static_cast<std::size_t>(nnz));
    if (transform == Transform::None)
        for (std::int64_t i = 0; i < nnz; ++i) input.by_row[i] = static_cast<R>(values.values[i]);
    else
        for (std::int64_t i = 0; i < nnz; ++i) input.by_row[i] = seen(values.values[i]);
    fill_columns(input);
}

template <class R>
void input_forward(const LayerInput<R>& x, const ConstView<R>& w, View<R> y) {
    if (x.is_dense) return product<R>(x.dense, w, y);
    for (std::int64_t r = 0; r < x.rows; ++r) {
        const std::int64_t first = x.row_start[r];
        gather(x.column.data() + first, x.by_row.data() + first, x.row_start[r + 1] - first, w,
               y.data() + r * y.outerStride(), Target::Replace);
    }
}

template <class R>
void input_backward(const LayerInput<R>& x, const ConstView<R>& dy, std::int64_t first, View<R> dw,
                    Target target) {
    if (x.is_dense)
        return product_transposed_left<R>(x.dense.middleCols(first, dw.rows()), dy, dw, target);
    for (std::int64_t c = 0; c < dw.rows(); ++c) {
        const std::int64_t begin = x.column_start[first + c];
        gather(x.row.data() + begin, x.by_column.data() + begin,
               x.column_start[first + c + 1] - begin, dy, dw.data() + c * dw.outerStride(), target);
    }
}

template void prepare_input<float>(const core::CsrView&, Transform, LayerInput<float>&, double);
template void prepare_input<double>(const core::CsrView&, Transform, LayerInput<double>&, double);
template void input_forward<float>(const LayerInput<float>&, const ConstView<float>&, View<float>);
template void input_forward<double>(const LayerInput<double>&, const ConstView<double>&,
                                    View<double>);
template void input_backward<float>(const LayerInput<float>&, const ConstView<float>&, std::int64_t,
                                    View<float>, Target);
template void input_backward<double>(const LayerInput<double>&, const ConstView<double>&,
                                     std::int64_t, View<double>, Target);

}  // namespace smeta::nn
