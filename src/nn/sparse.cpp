#include "smeta/nn/sparse.hpp"

#include <algorithm>

#include "smeta/core/error.hpp"

#include "micro_kernel.hpp"
#include "vector_math.hpp"

namespace smeta::nn {

namespace {

using detail::kVectorSize;
using detail::load;
using detail::store;

/// Vectors of a row that are in registers at once.
constexpr int kVectors = 8;

/// Entries [begin, end) of one row, columns counted from `first`.
template <class R>
struct Entries {
    const std::int32_t* column;
    const R* value;
    std::int64_t count;
    std::int64_t first;
};

/// out[0 .. kVectors vectors) += sum over entries of value * base[(column - first) * step ..).
template <class R>
void gather_block(const Entries<R>& x, const R* base, Eigen::Index step, R* out) {
    typename detail::Vector<R>::Type sum[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sum[v] = load(out + v * kVectorSize<R>);
    for (std::int64_t i = 0; i < x.count; ++i) {
        const R* from = base + (x.column[i] - x.first) * step;
        const auto factor = detail::broadcast(x.value[i]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[v] += factor * load(from + v * kVectorSize<R>);
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(out + v * kVectorSize<R>, sum[v]);
}

/// base[(column - first) * step ..) += value * from[0 .. kVectors vectors) for every entry.
template <class R>
void scatter_block(const Entries<R>& x, const R* from, R* base, Eigen::Index step) {
    typename detail::Vector<R>::Type row[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) row[v] = load(from + v * kVectorSize<R>);
    for (std::int64_t i = 0; i < x.count; ++i) {
        R* to = base + (x.column[i] - x.first) * step;
        const auto factor = detail::broadcast(x.value[i]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v)
            store(to + v * kVectorSize<R>, load(to + v * kVectorSize<R>) + factor * row[v]);
    }
}

template <class R>
void gather(const Entries<R>& x, const ConstView<R>& from, R* out) {
    constexpr Eigen::Index kBlock = kVectors * kVectorSize<R>;
    Eigen::Index first = 0;
    for (; first + kBlock <= from.cols(); first += kBlock)
        gather_block(x, from.data() + first, from.outerStride(), out + first);
    if (first == from.cols()) return;
    for (std::int64_t i = 0; i < x.count; ++i) {
        const R* row = from.data() + (x.column[i] - x.first) * from.outerStride();
        for (Eigen::Index c = first; c < from.cols(); ++c) out[c] += x.value[i] * row[c];
    }
}

template <class R>
void scatter(const Entries<R>& x, const R* from, View<R> to) {
    constexpr Eigen::Index kBlock = kVectors * kVectorSize<R>;
    Eigen::Index first = 0;
    for (; first + kBlock <= to.cols(); first += kBlock)
        scatter_block(x, from + first, to.data() + first, to.outerStride());
    if (first == to.cols()) return;
    for (std::int64_t i = 0; i < x.count; ++i) {
        R* row = to.data() + (x.column[i] - x.first) * to.outerStride();
        for (Eigen::Index c = first; c < to.cols(); ++c) row[c] += x.value[i] * from[c];
    }
}

template <class R>
std::int64_t blocks_of(const LayerInput<R>& input) {
    return (input.cols + kInputBlock - 1) / kInputBlock;
}

template <class R>
void find_blocks(const core::CsrView& values, LayerInput<R>& input) {
    const std::int64_t blocks = blocks_of(input);
    input.block_start.resize(static_cast<std::size_t>((blocks + 1) * input.rows));
    for (std::int64_t r = 0; r < input.rows; ++r) {
        std::int64_t* start = input.block_start.data() + r;
        const std::int64_t end = values.indptr[r + 1] - values.indptr[0];
        std::int64_t i = values.indptr[r] - values.indptr[0];
        for (std::int64_t b = 0; b < blocks; ++b, start += input.rows) {
            *start = i;
            while (i < end && input.column[i] < (b + 1) * kInputBlock) ++i;
        }
        *start = end;
    }
}

/// Row r's entries in block b, as rows from `first` of a matrix.
template <class R>
Entries<R> entries_of(const LayerInput<R>& x, std::int64_t b, std::int64_t r, std::int64_t first) {
    const std::int64_t begin = x.block_start[b * x.rows + r];
    return {x.column.data() + begin, x.value.data() + begin,
            x.block_start[(b + 1) * x.rows + r] - begin, first};
}

/// Brings entries into the first-level cache: those of a block's rows lie too far apart for a
/// processor to foresee them.
template <class R>
void prefetch_entries(const Entries<R>& x) {
    constexpr std::int64_t kLine = 64 / sizeof(R);
    for (std::int64_t k = 0; k < x.count; k += kLine) {
        __builtin_prefetch(x.column + k, 0, 3);
        __builtin_prefetch(x.value + k, 0, 3);
    }
}

/// Runs body(row, its entries in block b, counted from column `first`) over the rows.
template <class R, class Body>
void over_rows(const LayerInput<R>& x, std::int64_t b, std::int64_t first, const Body& body) {
    constexpr std::int64_t kAhead = 4;
    for (std::int64_t r = 0; r < x.rows; ++r) {
        if (r + kAhead < x.rows) prefetch_entries(entries_of(x, b, r + kAhead, first));
        body(r, entries_of(x, b, r, first));
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
    input.column = values.indices.first(static_cast<std::size_t>(nnz));
    input.value.resize(static_cast<std::size_t>(nnz));
    if (transform == Transform::None)
        for (std::int64_t i = 0; i < nnz; ++i) input.value[i] = static_cast<R>(values.values[i]);
    else
        for (std::int64_t i = 0; i < nnz; ++i) input.value[i] = seen(values.values[i]);
    find_blocks(values, input);
}

template <class R>
void input_forward(const LayerInput<R>& x, const ConstView<R>& w, View<R> y) {
    if (x.is_dense) return product<R>(x.dense, w, y);
    y.setZero();
    for (std::int64_t b = 0; b < blocks_of(x); ++b)
        over_rows(x, b, 0, [&](std::int64_t r, const Entries<R>& entries) {
            gather(entries, w, y.data() + r * y.outerStride());
        });
}

template <class R>
void input_backward(const LayerInput<R>& x, const ConstView<R>& dy, std::int64_t first, View<R> dw,
                    Target target) {
    if (x.is_dense)
        return product_transposed_left<R>(x.dense.middleCols(first, dw.rows()), dy, dw, target);
    core::check(first % kInputBlock == 0, "features begin with a block");
    for (std::int64_t done = 0; done < dw.rows(); done += kInputBlock) {
        const std::int64_t b = (first + done) / kInputBlock;
        View<R> block = dw.middleRows(done, std::min(kInputBlock, dw.rows() - done));
        if (target == Target::Replace) block.setZero();
        over_rows(x, b, first + done, [&](std::int64_t r, const Entries<R>& entries) {
            scatter(entries, dy.data() + r * dy.outerStride(), block);
        });
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
