#include "smeta/nn/gemm.hpp"

#include <algorithm>

#include "micro_kernel.hpp"

namespace smeta::nn {

namespace {

using detail::kMicroRows;
using detail::kMicroVectors;
using detail::kVectorSize;
using detail::Left;
using detail::Right;
using detail::Start;

/// Columns of a panel of the right factor, and its rows: with 48 floats 48 KiB, the first-level
/// cache of the processors this was measured on.
template <class R>
constexpr int kPanel = kMicroVectors* kVectorSize<R>;
constexpr std::int64_t kDepth = 256;
/// Up to so many rows of the target do not repay a copy of the panel.
constexpr std::int64_t kRowsUnpacked = 128;

/// Packed: by slabs of kDepth rows, in each by panels, in each row after row.
enum class RightForm { Plain, Transposed, Packed };

/// c (m x n) = start + a b; b is depth x n, or n x depth when transposed.
template <class R>
struct Job {
    Left<R> a;
    Right<R> b;
    RightForm form;
    std::int64_t m, n, depth;
    R* c;
    std::int64_t c_step;
    const R* row;
};

template <class R>
std::int64_t panels_of(std::int64_t columns) {
    return (columns + kPanel<R> - 1) / kPanel<R>;
}

template <class R, int Vectors, Start S, int Rows>
void block(std::int64_t depth, Left<R> a, Right<R> b, const R* row, R* c, std::int64_t c_step) {
    // A step that the compiler knows saves it the address arithmetic.
    if (a.depth_step == 1) {
        a.depth_step = 1;
        detail::micro_block<R, Rows, Vectors, S>(depth, a, b, row, c, c_step);
    } else {
        a.row_step = 1;
        detail::micro_block<R, Rows, Vectors, S>(depth, a, b, row, c, c_step);
    }
}

/// The last rows of a panel, fewer than a block's.
template <class R, int Vectors, Start S, int Rows>
void rest(std::int64_t rows, std::int64_t depth, Left<R> a, Right<R> b, const R* row, R* c,
          std::int64_t c_step) {
    if constexpr (Rows > 0) {
        if (rows == Rows)
            block<R, Vectors, S, Rows>(depth, a, b, row, c, c_step);
        else
            rest<R, Vectors, S, Rows - 1>(rows, depth, a, b, row, c, c_step);
    }
}

/// All rows of one panel of `Vectors` vectors.
template <class R, int Vectors, Start S>
void panel_rows(std::int64_t m, std::int64_t depth, Left<R> a, Right<R> b, const R* row, R* c,
                std::int64_t c_step) {
    std::int64_t i = 0;
    for (; i + kMicroRows <= m; i += kMicroRows)
        block<R, Vectors, S, kMicroRows>(depth, {a.data + i * a.row_step, a.row_step, a.depth_step},
                                         b, row, c + i * c_step, c_step);
    rest<R, Vectors, S, kMicroRows - 1>(m - i, depth,
                                        {a.data + i * a.row_step, a.row_step, a.depth_step}, b, row,
                                        c + i * c_step, c_step);
}

/// Columns [j, j + width) and rows [p, p + depth) of the right factor side by side, 0 up to the
/// panel's width.
template <class R>
void pack(Right<R> b, RightForm form, std::int64_t j, std::int64_t width, std::int64_t p,
          std::int64_t depth, R* panel) {
    constexpr int kWidth = kPanel<R>;
    if (form == RightForm::Plain) {
        const R* from = b.data + p * b.step + j;
        for (std::int64_t k = 0; k < depth; ++k, from += b.step, panel += kWidth) {
            if (width < kWidth) {
                std::copy_n(from, width, panel);
                std::fill_n(panel + width, kWidth - width, R(0));
            } else {
                for (int v = 0; v < kWidth; v += kVectorSize<R>)
                    detail::store(panel + v, detail::load(from + v));
            }
        }
        return;
    }
    // Squares of one vector's size.
    constexpr int kSize = kVectorSize<R>;
    for (std::int64_t first = 0; first < kWidth; first += kSize) {
        const std::int64_t columns = std::clamp<std::int64_t>(width - first, 0, kSize);
        const R* from = b.data + (j + first) * b.step + p;
        std::int64_t k = 0;
        if (columns == kSize)
            for (; k + kSize <= depth; k += kSize)
                detail::transpose_square(from + k, b.step, panel + k * kWidth + first, kWidth);
        for (; k < depth; ++k)
            for (std::int64_t t = 0; t < kSize; ++t)
                panel[k * kWidth + first + t] = t < columns ? from[t * b.step + k] : R(0);
    }
}

/// A panel that is no whole number of vectors: computed in a buffer as wide as the block.
template <class R, Start S>
void narrow_panel(const Job<R>& job, std::int64_t j, std::int64_t width, std::int64_t depth,
                  Left<R> a, Right<R> b) {
    constexpr int kWidth = kPanel<R>;
    alignas(64) R row[kWidth];
    alignas(64) R part[kMicroRows * kWidth];
    if constexpr (S == Start::Row) {
        std::fill_n(row, kWidth, R(0));
        std::copy_n(job.row + j, width, row);
    }
    for (std::int64_t i = 0; i < job.m; i += kMicroRows) {
        const std::int64_t rows = std::min<std::int64_t>(kMicroRows, job.m - i);
        R* c = job.c + i * job.c_step + j;
        if constexpr (S == Start::Target) {
            std::fill_n(part, kMicroRows * kWidth, R(0));
            for (std::int64_t r = 0; r < rows; ++r)
                std::copy_n(c + r * job.c_step, width, part + r * kWidth);
        }
        const Left<R> here{a.data + i * a.row_step, a.row_step, a.depth_step};
        if (width <= kVectorSize<R>)
            panel_rows<R, 1, S>(rows, depth, here, b, row, part, kWidth);
        else if (width <= 2 * kVectorSize<R>)
            panel_rows<R, 2, S>(rows, depth, here, b, row, part, kWidth);
        else
            panel_rows<R, kMicroVectors, S>(rows, depth, here, b, row, part, kWidth);
        for (std::int64_t r = 0; r < rows; ++r)
            std::copy_n(part + r * kWidth, width, c + r * job.c_step);
    }
}

template <class R, Start S>
void slab(const Job<R>& job, std::int64_t p, std::int64_t depth) {
    constexpr int kWidth = kPanel<R>;
    alignas(64) R panel[kDepth * kWidth];
    const Left<R> a{job.a.data + p * job.a.depth_step, job.a.row_step, job.a.depth_step};
    const bool direct = job.form == RightForm::Plain && job.m <= kRowsUnpacked;
    for (std::int64_t j = 0; j < job.n; j += kWidth) {
        const std::int64_t width = std::min<std::int64_t>(kWidth, job.n - j);
        Right<R> b{job.b.data + p * job.b.step + j, job.b.step};
        if (job.form == RightForm::Packed) {
            b = {job.b.data + p * panels_of<R>(job.n) * kWidth + j * depth, kWidth};
        } else if (!direct || width % kVectorSize<R> != 0) {
            pack(job.b, job.form, j, width, p, depth, panel);
            b = {panel, kWidth};
        }
        const R* row = job.row == nullptr ? nullptr : job.row + j;
        if (width == kWidth)
            panel_rows<R, kMicroVectors, S>(job.m, depth, a, b, row, job.c + j, job.c_step);
        else if (width == 2 * kVectorSize<R>)
            panel_rows<R, 2, S>(job.m, depth, a, b, row, job.c + j, job.c_step);
        else if (width == kVectorSize<R>)
            panel_rows<R, 1, S>(job.m, depth, a, b, row, job.c + j, job.c_step);
        else
            narrow_panel<R, S>(job, j, width, depth, a, b);
    }
}

template <class R>
void multiply(const Job<R>& job, Start start) {
    if (job.m == 0 || job.n == 0) return;
    std::int64_t p = 0;
    do {
        const std::int64_t depth = std::min(kDepth, job.depth - p);
        if (start == Start::Zero)
            slab<R, Start::Zero>(job, p, depth);
        else if (start == Start::Row)
            slab<R, Start::Row>(job, p, depth);
        else
            slab<R, Start::Target>(job, p, depth);
        start = Start::Target;
        p += depth;
    } while (p < job.depth);
}

Start start_of(Target target) {
    return target == Target::Replace ? Start::Zero : Start::Target;
}

/// a b with a packed b.
template <class R>
void multiply_packed(const ConstView<R>& a, const PackedRight<R>& b, const R* row, View<R> c,
                     Start start) {
    multiply<R>({{a.data(), a.outerStride(), 1},
                 {b.data(), 0},
                 RightForm::Packed,
                 c.rows(),
                 c.cols(),
                 a.cols(),
                 c.data(),
                 c.outerStride(),
                 row},
                start);
}

template <class R>
void pack_all(Right<R> b, RightForm form, std::int64_t depth, std::int64_t columns, R* panel) {
    for (std::int64_t p = 0; p < depth; p += kDepth)
        for (std::int64_t j = 0; j < columns; j += kPanel<R>) {
            const std::int64_t rows = std::min(kDepth, depth - p);
            pack(b, form, j, std::min<std::int64_t>(kPanel<R>, columns - j), p, rows, panel);
            panel += rows * kPanel<R>;
        }
}

}  // namespace

template <class R>
void PackedRight<R>::reserve(std::int64_t depth, std::int64_t columns) {
    const std::int64_t size = depth * panels_of<R>(columns) * kPanel<R>;
    if (packed_.size() < size) packed_.resize(1, size);
}

template <class R>
void PackedRight<R>::assign(const ConstView<R>& b) {
    reserve(b.rows(), b.cols());
    pack_all<R>({b.data(), b.outerStride()}, RightForm::Plain, b.rows(), b.cols(), packed_.data());
}

template <class R>
void PackedRight<R>::assign_transposed(const ConstView<R>& b) {
    reserve(b.cols(), b.rows());
    pack_all<R>({b.data(), b.outerStride()}, RightForm::Transposed, b.cols(), b.rows(),
                packed_.data());
}

template <class R>
void product(const ConstView<R>& a, const PackedRight<R>& b, View<R> c, Target target) {
    multiply_packed<R>(a, b, nullptr, c, start_of(target));
}

template <class R>
void product_plus_row(const ConstView<R>& a, const PackedRight<R>& b, const ConstView<R>& row,
                      View<R> c) {
    multiply_packed<R>(a, b, row.data(), c, Start::Row);
}

template <class R>
void product(const ConstView<R>& a, const ConstView<R>& b, View<R> c, Target target) {
    multiply<R>({{a.data(), a.outerStride(), 1},
                 {b.data(), b.outerStride()},
                 RightForm::Plain,
                 c.rows(),
                 c.cols(),
                 a.cols(),
                 c.data(),
                 c.outerStride(),
                 nullptr},
                start_of(target));
}

template <class R>
void product_plus_row(const ConstView<R>& a, const ConstView<R>& b, const ConstView<R>& row,
                      View<R> c) {
    multiply<R>({{a.data(), a.outerStride(), 1},
                 {b.data(), b.outerStride()},
                 RightForm::Plain,
                 c.rows(),
                 c.cols(),
                 a.cols(),
                 c.data(),
                 c.outerStride(),
                 row.data()},
                Start::Row);
}

template <class R>
void product_transposed_left(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
                             Target target) {
    multiply<R>({{a.data(), 1, a.outerStride()},
                 {b.data(), b.outerStride()},
                 RightForm::Plain,
                 c.rows(),
                 c.cols(),
                 a.rows(),
                 c.data(),
                 c.outerStride(),
                 nullptr},
                start_of(target));
}

template <class R>
void product_transposed_right(const ConstView<R>& a, const ConstView<R>& b, View<R> c,
                              Target target) {
    multiply<R>({{a.data(), a.outerStride(), 1},
                 {b.data(), b.outerStride()},
                 RightForm::Transposed,
                 c.rows(),
                 c.cols(),
                 a.cols(),
                 c.data(),
                 c.outerStride(),
                 nullptr},
                start_of(target));
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

template class PackedRight<float>;
template class PackedRight<double>;
template void product<float>(const ConstView<float>&, const PackedRight<float>&, View<float>,
                             Target);
template void product<double>(const ConstView<double>&, const PackedRight<double>&, View<double>,
                              Target);
template void product_plus_row<float>(const ConstView<float>&, const PackedRight<float>&,
                                      const ConstView<float>&, View<float>);
template void product_plus_row<double>(const ConstView<double>&, const PackedRight<double>&,
                                       const ConstView<double>&, View<double>);
template void product<float>(const ConstView<float>&, const ConstView<float>&, View<float>, Target);
template void product<double>(const ConstView<double>&, const ConstView<double>&, View<double>,
                              Target);
template void product_plus_row<float>(const ConstView<float>&, const ConstView<float>&,
                                      const ConstView<float>&, View<float>);
template void product_plus_row<double>(const ConstView<double>&, const ConstView<double>&,
                                       const ConstView<double>&, View<double>);
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
