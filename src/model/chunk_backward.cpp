#include <cmath>

#include "smeta/nn/latent_terms.hpp"

#include "cvae_impl.hpp"

namespace smeta::model::detail {

template <class R>
void begin_backward(const Net<R>& net, ChunkState<R>& s) {
    const std::int32_t width = net.options.latent;
    s.d_latent.setZero(s.rows(), width);
    s.d_z.setZero(s.rows(), width);
    s.d_mean.setZero(s.full_rows(), width);
    s.d_log_variance.setZero(s.full_rows(), width);  // by the variance until latent_backward
    for (BlockState<R>& block : s.blocks) block.d_single.setZero(block.rows(), width);
}

template <class R>
void kl_terms(const LossScale& scale, ChunkState<R>& s) {
    s.kl = 0;
    const auto width = static_cast<std::size_t>(s.mean.cols());
    for (std::int64_t k = 0; k < s.full_rows(); ++k) {
        const std::int64_t at = k * s.mean.cols();
        s.kl += nn::kl_row<R>({s.mean.data() + at, width}, {s.variance.data() + at, width},
                              static_cast<R>(scale.kl), {s.d_mean.data() + at, width},
                              {s.d_log_variance.data() + at, width});
    }
}

namespace {

/// The gradient of a Linear with `x` as input and `d` at its output.
template <class R>
void linear_gradient(const LinearIndex& index, const core::Matrix<R>& x, const core::Matrix<R>& d,
                     nn::ParameterArena<R>& gradient) {
    nn::product_transposed_left<R>(x, d, gradient.tensor(index.weight));
    nn::column_sum<R>(d, gradient.tensor(index.bias));
}

/// gamma and beta from one chunk's BatchNorm sums.
template <class R>
void norm_gradient(const LayerIndex& index, const double* sums, nn::Target target,
                   nn::ParameterArena<R>& gradient) {
    auto gamma = gradient.tensor(index.gamma);
    auto beta = gradient.tensor(index.beta);
    if (target == nn::Target::Replace) {
        gamma.setZero();
        beta.setZero();
    }
    for (std::int64_t c = 0; c < gamma.cols(); ++c) {
        beta(0, c) += static_cast<R>(sums[c]);
        gamma(0, c) += static_cast<R>(sums[gamma.cols() + c]);
    }
}

std::int64_t pass_first(Pass pass, std::int64_t latent_rows) {
    return pass == kLatentPass ? 0 : latent_rows;
}

template <class R>
std::int64_t pass_rows(Pass pass, const BlockState<R>& block) {
    return pass == kLatentPass ? block.rows() : block.decoder_input.rows() - block.rows();
}

/// Gradients at the decoder's input go to z, the single means and the embeddings.
template <class R>
void scatter_decoder_input(const Net<R>& net, std::int32_t b, const core::Matrix<R>& d_input,
                           ChunkState<R>& s) {
    BlockState<R>& block = s.blocks[b];
    const std::int32_t width = net.options.latent;
    for (std::int64_t i = 0; i < d_input.rows(); ++i) {
        const bool latent = i < block.rows();
        const std::int32_t r = latent ? block.input->rows[i] : s.full[i - block.rows()];
        if (latent)
            s.d_z.row(r) += d_input.row(i).head(width);
        else
            block.d_single.row(block.where[r]) += d_input.row(i).head(width);
    }
    const auto& tables = net.index.blocks[b].embedding;
    for (std::size_t level = 0; level < tables.size(); ++level) {
        auto table = s.gradient.tensor(tables[level]);
        table.setZero();
        const std::int64_t first = width + static_cast<std::int64_t>(level) * table.cols();
        for (std::int64_t i = 0; i < d_input.rows(); ++i) {
            const bool latent = i < block.rows();
            const std::int32_t r = latent ? block.input->rows[i] : s.full[i - block.rows()];
            const std::int32_t code = s.chunk->codes[r * tables.size() + level];
            if (code >= 0 && code < table.rows())
                table.row(code) += d_input.row(i).segment(first, table.cols());
        }
    }
}

}  // namespace

template <class R>
void decoder_backward_sums(const Net<R>& net, ChunkState<R>& s) {
    const std::size_t size = 2 * static_cast<std::size_t>(net.top());
    s.sums.assign(net.block_count() * kPasses * size, 0.0);
    double* sums = s.sums.data();
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockState<R>& block = s.blocks[b];
        HiddenState<R>& hidden = block.decoder;
        for (const Pass pass : {kLatentPass, kCorrPass}) {
            const std::int64_t first = pass_first(pass, block.rows());
            const std::int64_t count = pass_rows(pass, block);
            nn::batch_norm_relu_backward_sums<R>(rows_of(hidden.x, first, count),
                                                 rows_of(hidden.y, first, count), R(1),
                                                 rows_of(hidden.d, first, count), {sums, size});
            norm_gradient(net.index.blocks[b].decoder, sums,
                          pass == kLatentPass ? nn::Target::Replace : nn::Target::Add, s.gradient);
            sums += size;
        }
    }
}

template <class R>
void decoder_backward(const Net<R>& net, const std::vector<nn::Normaliser<R>>& normalisers,
                      const std::vector<double>& counts, std::span<const double> total,
                      ChunkState<R>& s) {
    const std::size_t size = 2 * static_cast<std::size_t>(net.top());
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockState<R>& block = s.blocks[b];
        HiddenState<R>& hidden = block.decoder;
        const LayerIndex& index = net.index.blocks[b].decoder;
        core::Matrix<R>& d_input = block.d_decoder_input;
        for (const Pass pass : {kLatentPass, kCorrPass}) {
            const std::int64_t first = pass_first(pass, block.rows());
            const std::int64_t count = pass_rows(pass, block);
            const std::int32_t at = b * kPasses + pass;
            nn::batch_norm_backward<R>(
                normalisers[at], net.values.tensor(index.gamma), rows_of(hidden.x, first, count),
                total.subspan(at * size, size), counts[at], rows_of(hidden.d, first, count));
        }
        const auto weight = net.values.tensor(index.weight);
        nn::product_transposed_left<R>(block.decoder_input, hidden.d,
                                       s.gradient.tensor(index.weight));
        d_input.resize(hidden.d.rows(), weight.rows());
        nn::product_transposed_right<R>(hidden.d, weight, d_input);
        scatter_decoder_input(net, b, d_input, s);
    }
}

namespace {

/// From z and the latent to the posterior's mean and log variance, and to the single means of rows
/// without a joint one.
template <class R>
void latent_gradient(const Net<R>& net, ChunkState<R>& s) {
    for (std::int64_t k = 0; k < s.full_rows(); ++k) {
        const std::int32_t r = s.full[k];
        for (std::int32_t l = 0; l < net.options.latent; ++l) {
            s.d_mean(k, l) += s.d_z(r, l) + s.d_latent(r, l);
            const R d_variance = s.d_log_variance(k, l) +
                                 s.d_z(r, l) * s.noise(k, l) * R(0.5) / std::sqrt(s.variance(k, l));
            s.d_log_variance(k, l) = d_variance * s.exp_log_variance(k, l);
        }
    }
    if (s.full_rows() == s.rows()) return;
    for (std::int64_t r = 0; r < s.rows(); ++r) {
        if (s.present[r] == net.block_count() || s.present[r] == 0) continue;
        for (BlockState<R>& block : s.blocks)
            if (block.where[r] >= 0)
                block.d_single.row(block.where[r]) +=
                    (s.d_z.row(r) + s.d_latent.row(r)) / static_cast<R>(s.present[r]);
    }
}

/// The shared Linear of the single means: gradients of all blocks add up.
template <class R>
void single_backward(const Net<R>& net, ChunkState<R>& s) {
    const LinearIndex& index = net.index.single_mean;
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockState<R>& block = s.blocks[b];
        HiddenState<R>& hidden = block.encoder.back();
        nn::product_transposed_left<R>(hidden.y, block.d_single, s.gradient.tensor(index.weight),
                                       b == 0 ? nn::Target::Replace : nn::Target::Add);
        nn::product_transposed_right<R>(block.d_single, net.values.tensor(index.weight), hidden.d,
                                        nn::Target::Add);
    }
}

}  // namespace

template <class R>
void latent_backward(const Net<R>& net, ChunkState<R>& s) {
    latent_gradient(net, s);
    linear_gradient(net.index.joint_mean, s.joint, s.d_mean, s.gradient);
    linear_gradient(net.index.joint_log_variance, s.joint, s.d_log_variance, s.gradient);
    core::Matrix<R>& d_joint = s.d_joint;
    d_joint.resize(s.joint.rows(), s.joint.cols());
    nn::product_transposed_right<R>(s.d_mean, net.values.tensor(net.index.joint_mean.weight),
                                    d_joint);
    nn::product_transposed_right<R>(s.d_log_variance,
                                    net.values.tensor(net.index.joint_log_variance.weight), d_joint,
                                    nn::Target::Add);
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockState<R>& block = s.blocks[b];
        HiddenState<R>& hidden = block.encoder.back();
        hidden.d.setZero(hidden.y.rows(), hidden.y.cols());
        for (std::int64_t k = 0; k < s.full_rows(); ++k)
            hidden.d.row(block.where[s.full[k]]) =
                d_joint.row(k).segment(static_cast<std::int64_t>(b) * net.top(), net.top());
    }
    if (net.joint()) single_backward(net, s);
}

template <class R>
void encoder_backward_sums(const Net<R>& net, std::int32_t layer, ChunkState<R>& s) {
    const std::size_t size = 2 * static_cast<std::size_t>(net.options.hidden[layer]);
    s.sums.assign(net.block_count() * size, 0.0);
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        HiddenState<R>& hidden = s.blocks[b].encoder[layer];
        double* sums = s.sums.data() + b * size;
        const R scale =
            hidden.keep.size() > 0 ? static_cast<R>(1 / (1 - net.options.dropout)) : R(1);
        nn::batch_norm_relu_backward_sums<R>(hidden.x, hidden.y, scale, hidden.d, {sums, size});
        norm_gradient(net.index.blocks[b].encoder[layer], sums, nn::Target::Replace, s.gradient);
    }
}

namespace {

/// Mean inputs of unmeasured features are inputs like others: their share of the first weight's
/// gradient.
template <class R>
void unmeasured_gradient(const Net<R>& net, std::int32_t b, const ChunkState<R>& s,
                         const core::Matrix<R>& d, std::int64_t first, nn::View<R> weight) {
    if (net.unmeasured.empty()) return;
    const std::vector<std::int32_t>& rows = s.blocks[b].input->rows;
    for (std::size_t i = 0; i < rows.size();) {
        const std::int32_t sample = s.chunk->samples[rows[i]];
        core::Matrix<R> sum = core::Matrix<R>::Zero(1, d.cols());
        for (; i < rows.size() && s.chunk->samples[rows[i]] == sample; ++i)
            sum += d.row(static_cast<std::int64_t>(i));
        const Unmeasured* lacks = net.lacks(sample, b);
        if (lacks == nullptr) continue;
        for (std::int64_t f = 0; f < weight.rows(); ++f)
            if (lacks->measured[first + f] == 0)
                weight.row(f) += static_cast<R>(lacks->mean_input[first + f]) * sum;
    }
}

}  // namespace

template <class R>
void encoder_backward(const Net<R>& net, std::int32_t layer,
                      const std::vector<nn::Normaliser<R>>& normalisers,
                      const std::vector<double>& counts, std::span<const double> total,
                      ChunkState<R>& s) {
    const std::size_t size = 2 * static_cast<std::size_t>(net.options.hidden[layer]);
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockState<R>& block = s.blocks[b];
        HiddenState<R>& hidden = block.encoder[layer];
        const LayerIndex& index = net.index.blocks[b].encoder[layer];
        nn::batch_norm_backward<R>(normalisers[b], net.values.tensor(index.gamma), hidden.x,
                                   total.subspan(b * size, size), counts[b], hidden.d);
        if (layer == 0) continue;
        auto d_weight = s.gradient.tensor(index.weight);
        HiddenState<R>& below = block.encoder[layer - 1];
        nn::product_transposed_left<R>(below.y, hidden.d, d_weight);
        below.d.resize(below.y.rows(), below.y.cols());
        nn::product_transposed_right<R>(hidden.d, net.values.tensor(index.weight), below.d);
    }
}

template <class R>
void first_weight_gradient(const Net<R>& net, std::int32_t b, const ChunkState<R>& s,
                           std::int64_t first, nn::View<R> d_weight, nn::Target target) {
    const core::Matrix<R>& d = s.blocks[b].encoder.front().d;
    nn::input_backward<R>(s.blocks[b].x, d, first, d_weight, target);
    unmeasured_gradient<R>(net, b, s, d, first, d_weight);
}

template void begin_backward(const Net<float>&, ChunkState<float>&);
template void begin_backward(const Net<double>&, ChunkState<double>&);
template void kl_terms(const LossScale&, ChunkState<float>&);
template void kl_terms(const LossScale&, ChunkState<double>&);
template void decoder_backward_sums(const Net<float>&, ChunkState<float>&);
template void decoder_backward_sums(const Net<double>&, ChunkState<double>&);
template void decoder_backward(const Net<float>&, const std::vector<nn::Normaliser<float>>&,
                               const std::vector<double>&, std::span<const double>,
                               ChunkState<float>&);
template void decoder_backward(const Net<double>&, const std::vector<nn::Normaliser<double>>&,
                               const std::vector<double>&, std::span<const double>,
                               ChunkState<double>&);
template void latent_backward(const Net<float>&, ChunkState<float>&);
template void latent_backward(const Net<double>&, ChunkState<double>&);
template void encoder_backward_sums(const Net<float>&, std::int32_t, ChunkState<float>&);
template void encoder_backward_sums(const Net<double>&, std::int32_t, ChunkState<double>&);
template void encoder_backward(const Net<float>&, std::int32_t,
                               const std::vector<nn::Normaliser<float>>&,
                               const std::vector<double>&, std::span<const double>,
                               ChunkState<float>&);
template void encoder_backward(const Net<double>&, std::int32_t,
                               const std::vector<nn::Normaliser<double>>&,
                               const std::vector<double>&, std::span<const double>,
                               ChunkState<double>&);
template void first_weight_gradient(const Net<float>&, std::int32_t, const ChunkState<float>&,
                                    std::int64_t, nn::View<float>, nn::Target);
template void first_weight_gradient(const Net<double>&, std::int32_t, const ChunkState<double>&,
                                    std::int64_t, nn::View<double>, nn::Target);

}  // namespace smeta::model::detail
