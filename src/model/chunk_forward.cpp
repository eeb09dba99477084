#include <cmath>

#include "smeta/core/error.hpp"
#include "smeta/nn/latent_terms.hpp"

#include "cvae_impl.hpp"

namespace smeta::model::detail {

template <class R>
void begin_chunk(const Net<R>& net, const Chunk& chunk, ChunkState<R>& s) {
    const std::int64_t rows = chunk.rows();
    const auto blocks = static_cast<std::size_t>(net.block_count());
    core::check(chunk.modalities.size() == blocks, "a chunk has one entry a block");
    core::check(chunk.codes.size() == rows * net.options.batch_categories.size(),
                "a chunk has a code a row and level");
    core::check(net.unmeasured.empty() || std::ssize(chunk.samples) == rows,
                "a chunk names the sample of each row");
    s.chunk = &chunk;
    s.blocks.resize(blocks);
    s.present.assign(rows, 0);
    for (std::size_t b = 0; b < blocks; ++b) {
        BlockState<R>& block = s.blocks[b];
        const ModalityBlock& spec = net.options.blocks[b];
        block.input = &chunk.modalities[b];
        core::check(block.input->values.cols == spec.features, "columns are the block's features");
        block.encoder.resize(net.options.hidden.size());
        block.where.assign(rows, -1);
        for (std::int64_t i = 0; i < block.rows(); ++i) {
            block.where[block.input->rows[i]] = static_cast<std::int32_t>(i);
            ++s.present[block.input->rows[i]];
        }
        nn::prepare_input(
            block.input->values,
            spec.transform == InputTransform::Log1p ? nn::Transform::Log1p : nn::Transform::None,
            block.x);
    }
    s.full.clear();
    for (std::int64_t r = 0; r < rows; ++r)
        if (s.present[r] == net.block_count()) s.full.push_back(static_cast<std::int32_t>(r));
}

namespace {

/// Mean inputs of features that the rows' samples did not measure, times the weight: one vector a
/// sample.
template <class R>
void add_unmeasured(const Net<R>& net, const ChunkState<R>& s, std::int32_t b,
                    const typename nn::ParameterArena<R>::ConstMap& weight, core::Matrix<R>& x) {
    if (net.unmeasured.empty()) return;
    core::Matrix<R> offset(1, x.cols());
    std::int32_t computed = -1;
    for (std::int64_t i = 0; i < x.rows(); ++i) {
        const std::int32_t sample = s.chunk->samples[s.blocks[b].input->rows[i]];
        const Unmeasured* lacks = net.lacks(sample, b);
        if (lacks == nullptr) continue;
        if (sample != computed) {
            offset.setZero();
            for (std::int64_t f = 0; f < weight.rows(); ++f)
                if (lacks->measured[f] == 0)
                    offset += static_cast<R>(lacks->mean_input[f]) * weight.row(f);
            computed = sample;
        }
        x.row(i) += offset;
    }
}

}  // namespace

template <class R>
void encoder_linear(const Net<R>& net, ChunkState<R>& s, std::int32_t layer) {
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockState<R>& block = s.blocks[b];
        const LayerIndex& index = net.index.blocks[b].encoder[layer];
        const auto weight = net.values.tensor(index.weight);
        HiddenState<R>& hidden = block.encoder[layer];
        hidden.x.resize(block.rows(), weight.cols());
        hidden.y.resize(block.rows(), weight.cols());
        if (layer == 0) {
            nn::input_forward<R>(block.x, weight, hidden.x);
            add_unmeasured(net, s, b, weight, hidden.x);
            nn::add_row<R>(net.values.tensor(index.bias), hidden.x);
        } else {
            nn::product_plus_row<R>(block.encoder[layer - 1].y, weight,
                                    net.values.tensor(index.bias), hidden.x);
        }
    }
}

template <class R>
void encoder_activate(const Net<R>& net, ChunkState<R>& s, std::int32_t layer,
                      const std::vector<nn::Normaliser<R>>& normalisers) {
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        const LayerIndex& index = net.index.blocks[b].encoder[layer];
        HiddenState<R>& hidden = s.blocks[b].encoder[layer];
        nn::batch_norm_relu_forward<R>(
            normalisers[b], net.values.tensor(index.gamma), net.values.tensor(index.beta),
            {hidden.keep.data(), static_cast<std::size_t>(hidden.keep.size())}, hidden.x, hidden.y);
    }
}

template <class R>
void draw_dropout(const Net<R>& net, const StepSettings& settings, ChunkState<R>& s) {
    const std::size_t layers = net.options.hidden.size();
    for (std::int32_t b = 0; b < net.block_count(); ++b)
        for (std::size_t layer = 0; layer < layers; ++layer) {
            BlockState<R>& block = s.blocks[b];
            core::Matrix<R>& keep = block.encoder[layer].keep;
            keep.resize(net.options.dropout > 0 ? block.rows() : 0, net.options.hidden[layer]);
            for (std::int64_t i = 0; i < keep.rows(); ++i) {
                const core::RowKey key = s.chunk->keys[block.input->rows[i]];
                const core::Philox draws(settings.seed, core::DrawPurpose::Dropout, settings.epoch,
                                         key);
                const std::uint64_t stream = (static_cast<std::uint64_t>(b) << 8) + layer;
                nn::dropout_row<R>(
                    draws, stream << 32, net.options.dropout,
                    {keep.data() + i * keep.cols(), static_cast<std::size_t>(keep.cols())});
            }
        }
}

namespace {

template <class R>
void draw_noise(const StepSettings& settings, Phase phase, const core::Matrix<R>* noise,
                ChunkState<R>& s) {
    for (std::int64_t k = 0; k < s.full_rows(); ++k) {
        const std::int32_t r = s.full[k];
        const core::Philox draws(settings.seed, core::DrawPurpose::LatentNoise, settings.epoch,
                                 s.chunk->keys[r]);
        for (std::int64_t l = 0; l < s.noise.cols(); ++l) {
            if (phase == Phase::Evaluate)
                s.noise(k, l) = 0;
            else if (noise != nullptr)
                s.noise(k, l) = (*noise)(r, l);
            else
                s.noise(k, l) = static_cast<R>(draws.normal(l));
        }
    }
}

/// The encoders' outputs of the full rows side by side.
template <class R>
void concatenate(const Net<R>& net, ChunkState<R>& s) {
    const std::int32_t top = net.top();
    s.joint.resize(s.full_rows(), static_cast<std::int64_t>(net.block_count()) * top);
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        const BlockState<R>& block = s.blocks[b];
        const core::Matrix<R>& y = block.encoder.back().y;
        for (std::int64_t k = 0; k < s.full_rows(); ++k)
            std::copy_n(y.data() + block.where[s.full[k]] * y.cols(), top,
                        s.joint.data() + k * s.joint.cols() + b * top);
    }
}

template <class R>
void linear(const Net<R>& net, const LinearIndex& index, const core::Matrix<R>& x,
            core::Matrix<R>& y) {
    const auto weight = net.values.tensor(index.weight);
    y.resize(x.rows(), weight.cols());
    nn::product_plus_row<R>(x, weight, net.values.tensor(index.bias), y);
}

}  // namespace

template <class R>
void latent_forward(const Net<R>& net, const StepSettings& settings, Phase phase,
                    const core::Matrix<R>* noise, ChunkState<R>& s) {
    const std::int32_t width = net.options.latent;
    concatenate(net, s);
    linear(net, net.index.joint_mean, s.joint, s.mean);
    linear(net, net.index.joint_log_variance, s.joint, s.exp_log_variance);
    for (std::int64_t i = 0; i < s.exp_log_variance.size(); ++i)
        s.exp_log_variance.data()[i] = std::exp(s.exp_log_variance.data()[i]);
    s.variance = s.exp_log_variance.array() + static_cast<R>(nn::kVarianceOffset);
    s.noise.resize(s.full_rows(), width);
    draw_noise(settings, phase, noise, s);
    if (net.joint())
        for (BlockState<R>& block : s.blocks)
            linear(net, net.index.single_mean, block.encoder.back().y, block.single);
    s.latent.setZero(s.rows(), width);
    s.z.setZero(s.rows(), width);
    for (std::int64_t k = 0; k < s.full_rows(); ++k) {
        const std::int32_t r = s.full[k];
        for (std::int32_t l = 0; l < width; ++l) {
            s.latent(r, l) = s.mean(k, l);
            s.z(r, l) = s.mean(k, l) + std::sqrt(s.variance(k, l)) * s.noise(k, l);
        }
    }
    if (s.full_rows() == s.rows()) return;
    for (std::int64_t r = 0; r < s.rows(); ++r) {
        if (s.present[r] == net.block_count() || s.present[r] == 0) continue;
        for (const BlockState<R>& block : s.blocks)
            if (block.where[r] >= 0)
                s.latent.row(r) += block.single.row(block.where[r]) / static_cast<R>(s.present[r]);
        s.z.row(r) = s.latent.row(r);
    }
}

template <class R>
void fill_code(const Net<R>& net, std::int32_t b, const std::int32_t* codes, R* row) {
    R* out = row + net.options.latent;
    const bool one_hot = net.options.batch_encoding == BatchEncoding::OneHot;
    for (std::size_t level = 0; level < net.options.batch_categories.size(); ++level) {
        const std::int32_t categories = net.options.batch_categories[level];
        const std::int32_t width = one_hot ? categories : net.options.embedding_size;
        std::fill_n(out, width, R(0));
        // A category unknown to the network (a query's) has the code 0.
        if (codes[level] >= 0 && codes[level] < categories) {
            if (one_hot)
                out[codes[level]] = 1;
            else
                std::copy_n(net.values.tensor(net.index.blocks[b].embedding[level]).data() +
                                static_cast<std::int64_t>(codes[level]) * width,
                            width, out);
        }
        out += width;
    }
}

template <class R>
void decoder_linear(const Net<R>& net, ChunkState<R>& s) {
    const std::int32_t width = net.options.latent;
    const std::size_t levels = net.options.batch_categories.size();
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockState<R>& block = s.blocks[b];
        const LayerIndex& index = net.index.blocks[b].decoder;
        const std::int64_t corr = net.joint() ? s.full_rows() : 0;
        block.decoder_input.resize(block.rows() + corr, width + code_width(net.options));
        const auto fill = [&](std::int64_t to, std::int32_t r, const R* latent) {
            R* row = block.decoder_input.data() + to * block.decoder_input.cols();
            std::copy_n(latent, width, row);
            fill_code(net, b, s.chunk->codes.data() + r * levels, row);
        };
        for (std::int64_t i = 0; i < block.rows(); ++i)
            fill(i, block.input->rows[i], s.z.data() + block.input->rows[i] * width);
        for (std::int64_t k = 0; k < corr; ++k)
            fill(block.rows() + k, s.full[k], block.single.data() + block.where[s.full[k]] * width);
        HiddenState<R>& hidden = block.decoder;
        hidden.x.resize(block.decoder_input.rows(), net.top());
        hidden.y.resize(block.decoder_input.rows(), net.top());
        nn::product_plus_row<R>(block.decoder_input, net.values.tensor(index.weight),
                                net.values.tensor(index.bias), hidden.x);
    }
}

template <class R>
void decoder_activate(const Net<R>& net, ChunkState<R>& s,
                      const std::vector<nn::Normaliser<R>>& normalisers) {
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockState<R>& block = s.blocks[b];
        const LayerIndex& index = net.index.blocks[b].decoder;
        HiddenState<R>& hidden = block.decoder;
        const std::int64_t corr = hidden.x.rows() - block.rows();
        for (const Pass pass : {kLatentPass, kCorrPass}) {
            const std::int64_t first = pass == kLatentPass ? 0 : block.rows();
            const std::int64_t count = pass == kLatentPass ? block.rows() : corr;
            nn::batch_norm_relu_forward<R>(
                normalisers[b * kPasses + pass], net.values.tensor(index.gamma),
                net.values.tensor(index.beta), {}, rows_of(hidden.x, first, count),
                rows_of(hidden.y, first, count));
        }
    }
}

template void begin_chunk(const Net<float>&, const Chunk&, ChunkState<float>&);
template void begin_chunk(const Net<double>&, const Chunk&, ChunkState<double>&);
template void encoder_linear(const Net<float>&, ChunkState<float>&, std::int32_t);
template void encoder_linear(const Net<double>&, ChunkState<double>&, std::int32_t);
template void encoder_activate(const Net<float>&, ChunkState<float>&, std::int32_t,
                               const std::vector<nn::Normaliser<float>>&);
template void encoder_activate(const Net<double>&, ChunkState<double>&, std::int32_t,
                               const std::vector<nn::Normaliser<double>>&);
template void draw_dropout(const Net<float>&, const StepSettings&, ChunkState<float>&);
template void draw_dropout(const Net<double>&, const StepSettings&, ChunkState<double>&);
template void latent_forward(const Net<float>&, const StepSettings&, Phase,
                             const core::Matrix<float>*, ChunkState<float>&);
template void latent_forward(const Net<double>&, const StepSettings&, Phase,
                             const core::Matrix<double>*, ChunkState<double>&);
template void decoder_linear(const Net<float>&, ChunkState<float>&);
template void decoder_linear(const Net<double>&, ChunkState<double>&);
template void decoder_activate(const Net<float>&, ChunkState<float>&,
                               const std::vector<nn::Normaliser<float>>&);
template void decoder_activate(const Net<double>&, ChunkState<double>&,
                               const std::vector<nn::Normaliser<double>>&);
template void fill_code(const Net<float>&, std::int32_t, const std::int32_t*, float*);
template void fill_code(const Net<double>&, std::int32_t, const std::int32_t*, double*);

}  // namespace smeta::model::detail
