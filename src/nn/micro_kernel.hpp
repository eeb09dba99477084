#pragma once

#include <cstdint>

/// The register block of a product (docs/decisions/0021-own-products.md).
namespace smeta::nn::detail {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
inline constexpr int kMicroRows = 8;
inline constexpr int kMicroVectors = 3;
#elif defined(__AVX__)
inline constexpr int kVectorBytes = 32;
inline constexpr int kMicroRows = 6;
inline constexpr int kMicroVectors = 2;
#else
inline constexpr int kVectorBytes = 16;
inline constexpr int kMicroRows = 6;
inline constexpr int kMicroVectors = 2;
#endif

template <class R>
struct Vector;
template <>
struct Vector<float> {
    typedef float Type __attribute__((vector_size(kVectorBytes)));
    typedef float Loose __attribute__((vector_size(kVectorBytes), aligned(4)));
    typedef std::int32_t Index __attribute__((vector_size(kVectorBytes)));
};
template <>
struct Vector<double> {
    typedef double Type __attribute__((vector_size(kVectorBytes)));
    typedef double Loose __attribute__((vector_size(kVectorBytes), aligned(8)));
    typedef std::int64_t Index __attribute__((vector_size(kVectorBytes)));
};

/// Elements of a vector.
template <class R>
inline constexpr int kVectorSize = kVectorBytes / static_cast<int>(sizeof(R));

template <class R>
inline typename Vector<R>::Type load(const R* from) {
    return *reinterpret_cast<const typename Vector<R>::Loose*>(from);
}
template <class R>
inline void store(R* to, typename Vector<R>::Type value) {
    *reinterpret_cast<typename Vector<R>::Loose*>(to) = value;
}

/// All elements equal, by the form that GCC turns into a broadcast from memory.
template <class R>
inline typename Vector<R>::Type broadcast(R x) {
    using V = typename Vector<R>::Type;
    if constexpr (kVectorSize<R> == 16)
        return V{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
    else if constexpr (kVectorSize<R> == 8)
        return V{x, x, x, x, x, x, x, x};
    else if constexpr (kVectorSize<R> == 4)
        return V{x, x, x, x};
    else
        return V{x, x};
}

/// Swaps the blocks off the diagonal of every 2 Half x 2 Half square: one step of a transposition.
template <class R, int Half>
inline void exchange(typename Vector<R>::Type (&rows)[kVectorSize<R>]) {
    constexpr int kSize = kVectorSize<R>;
    using Index = typename Vector<R>::Index;
    Index low{};
    Index high{};
#pragma GCC unroll 16
    for (int j = 0; j < kSize; ++j) {
        low[j] = (j & Half) != 0 ? kSize + j - Half : j;
        high[j] = (j & Half) != 0 ? kSize + j : j + Half;
    }
#pragma GCC unroll 16
    for (int i = 0; i < kSize; ++i) {
        if ((i & Half) != 0) continue;
        const typename Vector<R>::Type upper = rows[i];
        rows[i] = __builtin_shuffle(upper, rows[i + Half], low);
        rows[i + Half] = __builtin_shuffle(upper, rows[i + Half], high);
    }
}

/// to[k * to_step + t] = from[t * from_step + k] for a square of one vector's size.
template <class R>
inline void transpose_square(const R* from, std::int64_t from_step, R* to, std::int64_t to_step) {
    constexpr int kSize = kVectorSize<R>;
    typename Vector<R>::Type rows[kSize];
#pragma GCC unroll 16
    for (int t = 0; t < kSize; ++t) rows[t] = load(from + t * from_step);
    if constexpr (kSize > 8) exchange<R, 8>(rows);
    if constexpr (kSize > 4) exchange<R, 4>(rows);
    if constexpr (kSize > 2) exchange<R, 2>(rows);
    exchange<R, 1>(rows);
#pragma GCC unroll 16
    for (int t = 0; t < kSize; ++t) store(to + t * to_step, rows[t]);
}

/// What a block of the target holds before its sums.
enum class Start { Zero, Row, Target };

/// One factor's elements: element (i, p) is data[i * row_step + p * depth_step].
template <class R>
struct Left {
    const R* data;
    std::int64_t row_step;
    std::int64_t depth_step;
};
/// The other's: row p begins at data + p * step.
template <class R>
struct Right {
    const R* data;
    std::int64_t step;
};

/// Fetches Rows rows of a target, from its row `first`, for writing: they seldom are in the
/// first-level cache. Beyond the target's end it does no harm.
template <class R, int Rows, int Vectors>
inline void prefetch_target(const R* c, std::int64_t first, std::int64_t c_step) {
    const auto base = reinterpret_cast<std::uintptr_t>(c);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            const std::int64_t at = ((first + i) * c_step + v * kVectorSize<R>)*sizeof(R);
            __builtin_prefetch(reinterpret_cast<const void*>(base + at), 1, 3);
        }
}

/// c (Rows x Vectors vectors) = start + a b, every element one chain of fused additions in the
/// order of `depth`: its bits depend on neither the block nor the place in it. `row` is read by
/// Start::Row.
template <class R, int Rows, int Vectors, Start S>
inline void micro_block(std::int64_t depth, Left<R> a, Right<R> b, const R* row, R* c,
                        std::int64_t c_step) {
    using V = typename Vector<R>::Type;
    constexpr int kSize = kVectorSize<R>;
    V sum[Rows][Vectors];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) {
            if constexpr (S == Start::Zero)
                sum[i][v] = V{};
            else if constexpr (S == Start::Row)
                sum[i][v] = load(row + v * kSize);
            else
                sum[i][v] = load(c + i * c_step + v * kSize);
        }
    // A target that is added to was fetched for by the block above it.
    prefetch_target<R, Rows, Vectors>(c, S == Start::Target ? Rows : 0, c_step);
    const R* left = a.data;
    const R* right = b.data;
    for (std::int64_t p = 0; p < depth; ++p) {
        V factor[Vectors];
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) factor[v] = load(right + v * kSize);
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) {
            const V x = broadcast(left[i * a.row_step]);
#pragma GCC unroll 4
            for (int v = 0; v < Vectors; ++v) sum[i][v] += x * factor[v];
        }
        left += a.depth_step;
        right += b.step;
    }
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v) store(c + i * c_step + v * kSize, sum[i][v]);
}

}  // namespace smeta::nn::detail
