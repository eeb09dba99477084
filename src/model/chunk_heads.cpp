#include "smeta/nn/likelihood.hpp"

#include "cvae_impl.hpp"

namespace smeta::model::detail {

namespace {

/// One row of a decoder's stacked passes.
struct DecoderRow {
    std::int32_t entry = 0;  ///< place in the block's input
    std::int32_t sample = 0;
    double weight = 0;        ///< of its loss in the total
    std::int64_t cursor = 0;  ///< next stored value
    double nll = 0;
};

/// Latent rows count with the block's weight; a row that lacks another modality is decoded once,
/// for both terms.
template <class R>
std::vector<DecoderRow> decoder_rows(const Net<R>& net, const LossScale& scale, std::int32_t b,
                                     const ChunkState<R>& s) {
    const BlockState<R>& block = s.blocks[b];
    const ModalityBlock& spec = net.options.blocks[b];
    std::vector<DecoderRow> rows;
    rows.reserve(static_cast<std::size_t>(block.decoder_input.rows()));
    const auto add = [&](std::int32_t entry, std::int32_t r, double weight) {
        const std::int32_t sample = net.unmeasured.empty() ? 0 : s.chunk->samples[r];
        rows.push_back({entry, sample, weight * scale.per_row, block.input->values.indptr[entry]});
    };
    for (std::int32_t i = 0; i < block.rows(); ++i) {
        const std::int32_t r = block.input->rows[i];
        const bool once = s.present[r] < net.block_count();
        add(i, r, spec.weight + (once ? spec.corr_weight : 0));
    }
    if (net.joint())
        for (const std::int32_t r : s.full) add(block.where[r], r, spec.corr_weight);
    return rows;
}

const std::uint8_t* measured_from(const Unmeasured* lacks, std::int32_t first) {
    return lacks == nullptr ? nullptr : lacks->measured.data() + first;
}

template <class R>
double slice_loss(const ModalityBlock& spec, const nn::HeadSlice<R>& head,
                  const nn::SparseSlice& x) {
    const auto scale =
        spec.mean_head == MeanHead::SoftmaxLibrary ? nn::MeanScale::Log : nn::MeanScale::Linear;
    switch (spec.likelihood) {
        case Likelihood::Zinb:
            return nn::zinb_slice(head, x);
        case Likelihood::Nb:
            return nn::nb_slice(head, x);
        case Likelihood::Gaussian:
            return nn::gaussian_slice(head, x, scale);
        case Likelihood::ZeroInflatedGaussian:
            return nn::zero_inflated_gaussian_slice(head, x, scale);
        case Likelihood::Mse:
            return nn::squared_error_slice(head, x, scale);
    }
    return 0;
}

/// Features [first, first + width) of the scale and gate heads: outputs, or after the losses
/// gradients.
template <class R>
void tile_forward(const Net<R>& net, const LinearIndex& index, const core::Matrix<R>& y,
                  std::int32_t first, std::int32_t width, core::Matrix<R>& tile) {
    if (index.weight < 0) return;
    tile.resize(y.rows(), nn::kTile);
    nn::View<R> out(tile.leftCols(width));
    nn::product<R>(y, net.values.tensor(index.weight).middleCols(first, width), out);
    nn::add_row<R>(net.values.tensor(index.bias).middleCols(first, width), out);
}

template <class R>
void tile_backward(const Net<R>& net, const LinearIndex& index, const core::Matrix<R>& y,
                   std::int32_t first, std::int32_t width, nn::ConstView<R> tile,
                   nn::ParameterArena<R>& gradient, core::Matrix<R>& d_y) {
    auto d_weight = gradient.tensor(index.weight);
    auto d_bias = gradient.tensor(index.bias);
    nn::product_transposed_left<R>(y, tile, d_weight.middleCols(first, width));
    nn::column_sum<R>(tile, d_bias.middleCols(first, width));
    nn::product_transposed_right<R>(tile, net.values.tensor(index.weight).middleCols(first, width),
                                    d_y, nn::Target::Add);
}

/// Losses of the features [first, first + width), row after row.
template <class R>
void tile_losses(const Net<R>& net, std::int32_t b, std::int32_t first, std::int32_t width,
                 std::vector<DecoderRow>& rows, BlockState<R>& block) {
    const ModalityBlock& spec = net.options.blocks[b];
    const core::CountsCsr& values = block.input->values;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        DecoderRow& row = rows[i];
        nn::SparseSlice x{values.indices.data() + row.cursor, values.values.data() + row.cursor, 0,
                          first};
        const std::int64_t end = values.indptr[row.entry + 1];
        for (; row.cursor < end && values.indices[row.cursor] < first + width; ++row.cursor)
            ++x.count;
        const auto at = static_cast<std::int64_t>(i);
        nn::HeadSlice<R> head;
        head.count = width;
        head.mean = block.mean.data() + at * block.mean.cols() + first;
        head.d_mean = block.d_mean.data() + at * block.d_mean.cols() + first;
        if (spec.likelihood != Likelihood::Mse)
            head.log_scale = block.scale_tile.data() + at * nn::kTile;
        if (net.index.blocks[b].gate.weight >= 0)
            head.gate = block.gate_tile.data() + at * nn::kTile;
        head.measured = measured_from(net.lacks(row.sample, b), first);
        head.weight = static_cast<R>(row.weight);
        row.nll += slice_loss(spec, head, x);
    }
}

template <class R>
void mean_forward(const Net<R>& net, std::int32_t b, const std::vector<DecoderRow>& rows,
                  BlockState<R>& block) {
    const LinearIndex& index = net.index.blocks[b].mean;
    const std::int32_t features = net.options.blocks[b].features;
    block.mean.resize(block.decoder.y.rows(), features);
    block.d_mean.resize(block.decoder.y.rows(), features);
    nn::product<R>(block.decoder.y, net.values.tensor(index.weight), block.mean);
    nn::add_row<R>(net.values.tensor(index.bias), block.mean);
    if (net.options.blocks[b].mean_head == MeanHead::Linear) return;
    for (std::size_t i = 0; i < rows.size(); ++i)
        nn::log_mean_forward<R>({block.mean.data() + static_cast<std::int64_t>(i) * features,
                                 static_cast<std::size_t>(features)},
                                block.input->libraries[rows[i].entry],
                                measured_from(net.lacks(rows[i].sample, b), 0));
}

template <class R>
void mean_backward(const Net<R>& net, std::int32_t b, const std::vector<DecoderRow>& rows,
                   BlockState<R>& block, nn::ParameterArena<R>& gradient) {
    const std::int32_t features = net.options.blocks[b].features;
    const auto width = static_cast<std::size_t>(features);
    if (net.options.blocks[b].mean_head == MeanHead::SoftmaxLibrary)
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const std::int64_t at = static_cast<std::int64_t>(i) * features;
            nn::log_mean_backward<R>({block.mean.data() + at, width},
                                     block.input->libraries[rows[i].entry],
                                     {block.d_mean.data() + at, width});
        }
    tile_backward<R>(net, net.index.blocks[b].mean, block.decoder.y, 0, features, block.d_mean,
                     gradient, block.decoder.d);
}

template <class R>
void block_heads(const Net<R>& net, const LossScale& scale, Phase phase, std::int32_t b,
                 ChunkState<R>& s) {
    BlockState<R>& block = s.blocks[b];
    const BlockIndex& index = net.index.blocks[b];
    const std::int32_t features = net.options.blocks[b].features;
    std::vector<DecoderRow> rows = decoder_rows(net, scale, b, s);
    mean_forward(net, b, rows, block);
    const core::Matrix<R>& y = block.decoder.y;
    block.decoder.d.setZero(y.rows(), y.cols());
    for (std::int32_t first = 0; first < features; first += nn::kTile) {
        const std::int32_t width = std::min(nn::kTile, features - first);
        tile_forward(net, index.log_scale, y, first, width, block.scale_tile);
        tile_forward(net, index.gate, y, first, width, block.gate_tile);
        tile_losses(net, b, first, width, rows, block);
        if (phase == Phase::Evaluate) continue;
        if (index.log_scale.weight >= 0)
            tile_backward<R>(net, index.log_scale, y, first, width,
                             block.scale_tile.leftCols(width), s.gradient, block.decoder.d);
        if (index.gate.weight >= 0)
            tile_backward<R>(net, index.gate, y, first, width, block.gate_tile.leftCols(width),
                             s.gradient, block.decoder.d);
    }
    if (phase == Phase::Train) mean_backward(net, b, rows, block, s.gradient);
    block.reconstruction = 0;
    block.corr = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const bool latent = static_cast<std::int64_t>(i) < block.rows();
        const bool once = latent && s.present[block.input->rows[i]] < net.block_count();
        if (latent) block.reconstruction += rows[i].nll;
        if (!latent || once) block.corr += rows[i].nll;
    }
}

}  // namespace

template <class R>
void heads(const Net<R>& net, const LossScale& scale, Phase phase, ChunkState<R>& s) {
    for (std::int32_t b = 0; b < net.block_count(); ++b) block_heads(net, scale, phase, b, s);
}

template void heads(const Net<float>&, const LossScale&, Phase, ChunkState<float>&);
template void heads(const Net<double>&, const LossScale&, Phase, ChunkState<double>&);

}  // namespace smeta::model::detail
