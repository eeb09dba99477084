#include "smeta/nn/batch_norm.hpp"

#include <algorithm>
#include <cmath>

namespace smeta::nn {

template <class R>
void batch_norm_sums(const ConstView<R>& x, std::span<double> sums) {
    std::ranges::fill(sums, 0.0);
    const Eigen::Index cols = x.cols();
    double* sum = sums.data();
    double* square = sums.data() + cols;
    for (Eigen::Index r = 0; r < x.rows(); ++r) {
        const R* row = x.data() + r * x.outerStride();
        for (Eigen::Index c = 0; c < cols; ++c) {
            const auto value = static_cast<double>(row[c]);
            sum[c] += value;
            square[c] += value * value;
        }
    }
}

template <class R>
void batch_normaliser(std::span<const double> sums, double count, View<R> running_mean,
                      View<R> running_var, Normaliser<R>& result) {
    const Eigen::Index cols = running_mean.cols();
    result.mean.setZero(1, cols);
    result.inverse_sd.setOnes(1, cols);
    if (count < 1) return;
    for (Eigen::Index c = 0; c < cols; ++c) {
        const double mean = sums[c] / count;
        const double variance = std::max(0.0, sums[cols + c] / count - mean * mean);
        result.mean(0, c) = static_cast<R>(mean);
        result.inverse_sd(0, c) = static_cast<R>(1 / std::sqrt(variance + kBatchNormEpsilon));
        if (count < 2) continue;
        const double unbiased = variance * count / (count - 1);
        const auto move = [](R& running, double batch) {
            running = static_cast<R>((1 - kBatchNormMomentum) * static_cast<double>(running) +
                                     kBatchNormMomentum * batch);
        };
        move(running_mean(0, c), mean);
        move(running_var(0, c), unbiased);
    }
}

template <class R>
Normaliser<R> running_normaliser(const ConstView<R>& running_mean,
                                 const ConstView<R>& running_var) {
    Normaliser<R> result{running_mean, core::Matrix<R>(1, running_mean.cols())};
    for (Eigen::Index c = 0; c < running_mean.cols(); ++c)
        result.inverse_sd(0, c) = static_cast<R>(
            1 / std::sqrt(static_cast<double>(running_var(0, c)) + kBatchNormEpsilon));
    return result;
}

template <class R>
void batch_norm_relu_forward(const Normaliser<R>& normaliser, const ConstView<R>& gamma,
                             const ConstView<R>& beta, std::span<const R> keep, View<R> x,
                             View<R> y) {
    const Eigen::Index cols = x.cols();
    const R* mean = normaliser.mean.data();
    const R* inverse_sd = normaliser.inverse_sd.data();
    const R* scale = gamma.data();
    const R* shift = beta.data();
    for (Eigen::Index r = 0; r < x.rows(); ++r) {
        R* in = x.data() + r * x.outerStride();
        R* out = y.data() + r * y.outerStride();
        for (Eigen::Index c = 0; c < cols; ++c) {
            in[c] = (in[c] - mean[c]) * inverse_sd[c];
            const R value = scale[c] * in[c] + shift[c];
            out[c] = value > 0 ? value : R(0);
        }
        if (keep.empty()) continue;
        const R* factor = keep.data() + r * cols;
        for (Eigen::Index c = 0; c < cols; ++c) out[c] *= factor[c];
    }
}

template <class R>
void batch_norm_relu_backward_sums(const ConstView<R>& normalised, const ConstView<R>& y, R scale,
                                   View<R> dy, std::span<double> sums) {
    std::ranges::fill(sums, 0.0);
    const Eigen::Index cols = dy.cols();
    double* sum = sums.data();
    double* product_sum = sums.data() + cols;
    for (Eigen::Index r = 0; r < dy.rows(); ++r) {
        R* slope = dy.data() + r * dy.outerStride();
        const R* x = normalised.data() + r * normalised.outerStride();
        const R* out = y.data() + r * y.outerStride();
        for (Eigen::Index c = 0; c < cols; ++c) {
            slope[c] = out[c] > 0 ? slope[c] * scale : R(0);
            sum[c] += static_cast<double>(slope[c]);
            product_sum[c] += static_cast<double>(slope[c]) * static_cast<double>(x[c]);
        }
    }
}

template <class R>
void batch_norm_backward(const Normaliser<R>& normaliser, const ConstView<R>& gamma,
                         const ConstView<R>& normalised, std::span<const double> sums, double count,
                         View<R> dy) {
    constexpr Eigen::Index kColumns = 128;
    const Eigen::Index cols = dy.cols();
    for (Eigen::Index first = 0; first < cols; first += kColumns) {
        const Eigen::Index width = std::min(kColumns, cols - first);
        R factor[kColumns], mean_slope[kColumns], mean_product[kColumns];
        for (Eigen::Index c = 0; c < width; ++c) {
            factor[c] = gamma.data()[first + c] * normaliser.inverse_sd.data()[first + c];
            mean_slope[c] = static_cast<R>(sums[first + c] / count);
            mean_product[c] = static_cast<R>(sums[cols + first + c] / count);
        }
        for (Eigen::Index r = 0; r < dy.rows(); ++r) {
            R* slope = dy.data() + r * dy.outerStride() + first;
            const R* x = normalised.data() + r * normalised.outerStride() + first;
            for (Eigen::Index c = 0; c < width; ++c)
                slope[c] = factor[c] * (slope[c] - mean_slope[c] - x[c] * mean_product[c]);
        }
    }
}

template <class R>
void dropout_row(const core::Philox& draws, std::uint64_t first_block, double p,
                 std::span<R> keep) {
    const auto threshold = static_cast<std::uint64_t>(p * 4294967296.0);
    const auto kept = static_cast<R>(1 / (1 - p));
    for (std::size_t unit = 0; unit < keep.size(); unit += 8) {
        const auto words = draws.words(first_block + unit / 8);
        for (std::size_t i = 0; i < std::min<std::size_t>(8, keep.size() - unit); ++i) {
            const std::uint64_t draw = (words[i / 2] >> (32 * (i % 2))) & 0xffffffffU;
            keep[unit + i] = draw < threshold ? R(0) : kept;
        }
    }
}

template void batch_norm_sums<float>(const ConstView<float>&, std::span<double>);
template void batch_norm_sums<double>(const ConstView<double>&, std::span<double>);
template void batch_normaliser<float>(std::span<const double>, double, View<float>, View<float>,
                                      Normaliser<float>&);
template void batch_normaliser<double>(std::span<const double>, double, View<double>, View<double>,
                                       Normaliser<double>&);
template Normaliser<float> running_normaliser<float>(const ConstView<float>&,
                                                     const ConstView<float>&);
template Normaliser<double> running_normaliser<double>(const ConstView<double>&,
                                                       const ConstView<double>&);
template void batch_norm_relu_forward<float>(const Normaliser<float>&, const ConstView<float>&,
                                             const ConstView<float>&, std::span<const float>,
                                             View<float>, View<float>);
template void batch_norm_relu_forward<double>(const Normaliser<double>&, const ConstView<double>&,
                                              const ConstView<double>&, std::span<const double>,
                                              View<double>, View<double>);
template void batch_norm_relu_backward_sums<float>(const ConstView<float>&, const ConstView<float>&,
                                                   float, View<float>, std::span<double>);
template void batch_norm_relu_backward_sums<double>(const ConstView<double>&,
                                                    const ConstView<double>&, double, View<double>,
                                                    std::span<double>);
template void batch_norm_backward<float>(const Normaliser<float>&, const ConstView<float>&,
                                         const ConstView<float>&, std::span<const double>, double,
                                         View<float>);
template void batch_norm_backward<double>(const Normaliser<double>&, const ConstView<double>&,
                                          const ConstView<double>&, std::span<const double>, double,
                                          View<double>);
template void dropout_row<float>(const core::Philox&, std::uint64_t, double, std::span<float>);
template void dropout_row<double>(const core::Philox&, std::uint64_t, double, std::span<double>);

}  // namespace smeta::nn
