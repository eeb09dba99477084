#include "step_heads.hpp"

#include <omp.h>

namespace smeta::model::detail {

namespace {

// A tile of one head for 256 rows and the tile's weights fit into a second-level cache of 1 MiB.
// The width is a whole number of the product's panels; rows of a tile are an odd number of cache
// lines apart.
constexpr std::int32_t kTileWidth = 240;
constexpr std::int32_t kTileStride = kTileWidth + 32;
constexpr std::int64_t kRowBlock = 256;
constexpr std::int32_t kRuns = 8;
static_assert(kTileWidth <= nn::kTile);

bool is_softmax(const ModalityBlock& spec) {
    return spec.mean_head == MeanHead::SoftmaxLibrary;
}

const std::uint8_t* measured_from(const Unmeasured* lacks, std::int32_t first) {
    return lacks == nullptr ? nullptr : lacks->measured.data() + first;
}

template <class R>
double slice_loss(const ModalityBlock& spec, const nn::HeadSlice<R>& head,
                  const nn::SparseSlice& x) {
    const auto scale = is_softmax(spec) ? nn::MeanScale::Log : nn::MeanScale::Linear;
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

/// One head over one tile: its outputs, and what its gradients add up to.
template <class R>
class HeadTile {
  public:
    HeadTile(const Net<R>& net, const GradientGroups<R>& groups, const LinearIndex& index,
             Tile tile, std::vector<core::Matrix<R>>* branches)
        : net_(net),
          index_(index),
          tile_(tile),
          weight_(groups, block(net, index.weight, tile), branches[0]),
          bias_(groups, block(net, index.bias, tile), branches[1]) {}

    bool exists() const { return index_.weight >= 0; }
    void forward(const nn::ConstView<R>& y, nn::View<R> out) const {
        nn::product_plus_row<R>(
            y, weight(), net_.values.tensor(index_.bias).middleCols(tile_.first, tile_.width), out);
    }
    /// Rows [rows.first, rows.last) of the stack: `d` holds the gradients at the head's outputs.
    void backward(const BlockHeads<R>& heads, comm::Range rows, const nn::ConstView<R>& d,
                  core::Matrix<R>& d_y) {
        nn::product_transposed_right<R>(d, weight(), rows_of(d_y, rows.first, rows.size()),
                                        nn::Target::Add);
        const std::size_t chunks = heads.first_row.size() - 1;
        for (; chunk_ < chunks; ++chunk_) {
            const std::int64_t begin = std::max(rows.first, heads.first_row[chunk_]);
            const std::int64_t end = std::min(rows.last, heads.first_row[chunk_ + 1]);
            const bool last = heads.first_row[chunk_ + 1] <= rows.last;
            if (begin < end || last) {
                const std::int64_t count = std::max<std::int64_t>(0, end - begin);
                const auto part = d.middleRows(std::min(begin, end) - rows.first, count);
                nn::product_transposed_left<R>(heads.y.middleRows(std::min(begin, end), count),
                                               part, weight_.view(), weight_.target());
                nn::column_sum<R>(part, bias_.view(), bias_.target());
                weight_.add_more();
                bias_.add_more();
            }
            if (!last) break;
            weight_.next();
            bias_.next();
        }
    }

  private:
    static TensorBlock block(const Net<R>& net, std::int32_t tensor, Tile tile) {
        if (tensor < 0) return {};
        return {tensor, 0, tile.first, net.values.layout().tensor(tensor).rows, tile.width};
    }
    auto weight() const {
        return net_.values.tensor(index_.weight).middleCols(tile_.first, tile_.width);
    }

    const Net<R>& net_;
    LinearIndex index_;
    Tile tile_;
    GradientSum<R> weight_;
    GradientSum<R> bias_;
    std::size_t chunk_ = 0;
};

}  // namespace

template <class R>
void StepHeads<R>::plan(const Net<R>& net, const GradientGroups<R>& groups) {
    scratch_.resize(std::max<std::size_t>(scratch_.size(), core::threads()));
    for (HeadScratch<R>& scratch : scratch_) {
        for (core::Matrix<R>* tile :
             {&scratch.mean, &scratch.d_mean, &scratch.scale, &scratch.gate})
            if (tile->size() == 0) tile->setZero(kRowBlock, kTileStride);
        for (std::size_t i = 0; i < 6; ++i)  // of a weight and its bias in turn
            GradientSum<R>::reserve(groups, i % 2 == 0 ? net.top() : 1, kTileWidth,
                                    scratch.branches[i]);
    }
    if (!blocks_.empty()) return;
    blocks_.resize(net.options.blocks.size());
    // The blocks with most heads first: threads finish together.
    for (const bool softmax : {true, false})
        for (std::int32_t b = 0; b < net.block_count(); ++b) {
            const ModalityBlock& spec = net.options.blocks[b];
            if (is_softmax(spec) != softmax) continue;
            BlockHeads<R>& heads = blocks_[b];
            const std::int32_t count = (spec.features + kTileWidth - 1) / kTileWidth;
            const std::int32_t width = ((spec.features + count - 1) / count + 15) / 16 * 16;
            for (std::int32_t first = 0; first < spec.features; first += width)
                heads.tiles.push_back({first, std::min(width, spec.features - first)});
            const auto tiles = static_cast<std::int32_t>(heads.tiles.size());
            for (std::int32_t run = 0; run < std::min(kRuns, tiles); ++run) {
                heads.runs.push_back(comm::even_share(tiles, std::min(kRuns, tiles), run));
                units_.push_back({b, run});
            }
            heads.d_y.resize(heads.runs.size());
        }
}

template <class R>
void StepHeads<R>::find_starts(const ChunkState<R>& s, std::int32_t b, std::int64_t first_entry) {
    BlockHeads<R>& heads = blocks_[b];
    const core::CountsCsr& values = s.blocks[b].input->values;
    const std::size_t stride = heads.tiles.size() + 1;
    for (std::int64_t entry = 0; entry < values.rows; ++entry) {
        std::int64_t* start = heads.starts.data() + (first_entry + entry) * stride;
        std::int64_t at = values.indptr[entry];
        const std::int64_t end = values.indptr[entry + 1];
        for (const Tile& tile : heads.tiles) {
            *start++ = at;
            at = std::lower_bound(values.indices.begin() + at, values.indices.begin() + end,
                                  tile.first + tile.width) -
                 values.indices.begin();
        }
        *start = end;
    }
}

/// Latent rows count with the block's weight; a row that lacks another modality is decoded once,
/// for both terms.
template <class R>
void StepHeads<R>::collect(const Net<R>& net, const LossScale& scale,
                           std::vector<ChunkState<R>>& states) {
    const auto chunks = static_cast<std::int64_t>(states.size());
    const int threads = static_cast<int>(std::min<std::int64_t>(core::threads(), chunks));
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        BlockHeads<R>& heads = blocks_[b];
        const ModalityBlock& spec = net.options.blocks[b];
        const auto stride = static_cast<std::int64_t>(heads.tiles.size()) + 1;
        heads.first_row.assign(1, 0);
        std::int64_t entries = 0;
        for (const ChunkState<R>& s : states) {
            heads.first_row.push_back(heads.first_row.back() + s.blocks[b].decoder.y.rows());
            entries += s.blocks[b].rows();
        }
        heads.rows.resize(heads.row_count());
        heads.starts.resize(entries * stride);
        heads.nll.resize(heads.row_count() * (stride - 1));
        heads.y.resize(heads.row_count(), net.top());
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
        for (std::int64_t c = 0; c < chunks; ++c) {
            const ChunkState<R>& s = states[c];
            const BlockState<R>& block = s.blocks[b];
            std::int64_t first_entry = 0;
            for (std::int64_t before = 0; before < c; ++before)
                first_entry += states[before].blocks[b].rows();
            find_starts(s, b, first_entry);
            rows_of(heads.y, heads.first_row[c], block.decoder.y.rows()) = block.decoder.y;
            DecoderRow* row = heads.rows.data() + heads.first_row[c];
            const auto add = [&](std::int64_t entry, std::int32_t r, double weight) {
                const std::int32_t sample = net.unmeasured.empty() ? 0 : s.chunk->samples[r];
                *row++ = {block.input, entry, (first_entry + entry) * stride, sample,
                          weight * scale.per_row};
            };
            for (std::int64_t i = 0; i < block.rows(); ++i) {
                const std::int32_t r = block.input->rows[i];
                const bool once = s.present[r] < net.block_count();
                add(i, r, spec.weight + (once ? spec.corr_weight : 0));
            }
            if (net.joint())
                for (const std::int32_t r : s.full) add(block.where[r], r, spec.corr_weight);
        }
    }
}

template <class R>
template <class Body>
void StepHeads<R>::over_units(const Body& body) {
    const auto count = static_cast<std::int64_t>(units_.size());
    const int threads = static_cast<int>(std::min<std::int64_t>(core::threads(), count));
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (std::int64_t u = 0; u < count; ++u) {
        HeadScratch<R>& scratch = scratch_[omp_get_thread_num()];
        body(units_[u], scratch);
    }
}

template <class R>
template <class Body>
void StepHeads<R>::over_softmax_rows(const Net<R>& net, const Body& body) {
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        if (!is_softmax(net.options.blocks[b])) continue;
        BlockHeads<R>& heads = blocks_[b];
        const std::int64_t count = heads.row_count();
#pragma omp parallel for schedule(static) num_threads(core::threads()) if (core::threads() > 1)
        for (std::int64_t i = 0; i < count; ++i) body(b, heads, i);
    }
}

template <class R>
void StepHeads<R>::softmax_forward(const Net<R>& net) {
    over_units([&](HeadUnit unit, HeadScratch<R>&) {
        if (!is_softmax(net.options.blocks[unit.block])) return;
        BlockHeads<R>& heads = blocks_[unit.block];
        const LinearIndex& index = net.index.blocks[unit.block].mean;
        const comm::Range tiles = heads.runs[unit.run];
        for (std::int64_t t = tiles.first; t < tiles.last; ++t) {
            const Tile tile = heads.tiles[t];
            nn::product_plus_row<R>(
                heads.y, net.values.tensor(index.weight).middleCols(tile.first, tile.width),
                net.values.tensor(index.bias).middleCols(tile.first, tile.width),
                heads.mean.middleCols(tile.first, tile.width));
        }
    });
    over_softmax_rows(net, [&](std::int32_t b, BlockHeads<R>& heads, std::int64_t i) {
        const DecoderRow& row = heads.rows[i];
        const auto features = static_cast<std::size_t>(heads.mean.cols());
        nn::log_mean_forward<R>({heads.mean.data() + i * heads.mean.cols(), features},
                                row.input->libraries[row.entry],
                                measured_from(net.lacks(row.sample, b), 0));
    });
}

template <class R>
void StepHeads<R>::softmax_backward(const Net<R>& net, const GradientGroups<R>& groups) {
    over_softmax_rows(net, [&](std::int32_t, BlockHeads<R>& heads, std::int64_t i) {
        const DecoderRow& row = heads.rows[i];
        const auto features = static_cast<std::size_t>(heads.mean.cols());
        const std::int64_t at = i * heads.mean.cols();
        nn::log_mean_backward<R>({heads.mean.data() + at, features},
                                 row.input->libraries[row.entry],
                                 {heads.d_mean.data() + at, features});
    });
    over_units([&](HeadUnit unit, HeadScratch<R>& scratch) {
        if (!is_softmax(net.options.blocks[unit.block])) return;
        BlockHeads<R>& heads = blocks_[unit.block];
        const comm::Range tiles = heads.runs[unit.run];
        for (std::int64_t t = tiles.first; t < tiles.last; ++t) {
            const Tile tile = heads.tiles[t];
            HeadTile<R> mean(net, groups, net.index.blocks[unit.block].mean, tile,
                             scratch.branches);
            std::int64_t first = 0;
            do {
                const comm::Range rows{first, std::min(first + kRowBlock, heads.row_count())};
                mean.backward(heads, rows,
                              heads.d_mean.block(rows.first, tile.first, rows.size(), tile.width),
                              heads.d_y[unit.run]);
                first = rows.last;
            } while (first < heads.row_count());
        }
    });
}

template <class R>
void StepHeads<R>::losses(const Net<R>& net, std::int32_t b, std::int64_t t, comm::Range rows,
                          HeadScratch<R>& scratch) {
    BlockHeads<R>& heads = blocks_[b];
    const ModalityBlock& spec = net.options.blocks[b];
    const Tile tile = heads.tiles[t];
    const bool softmax = is_softmax(spec);
    for (std::int64_t i = rows.first; i < rows.last; ++i) {
        const DecoderRow& row = heads.rows[i];
        const core::CountsCsr& values = row.input->values;
        const std::int64_t* start = heads.starts.data() + row.starts + t;
        const nn::SparseSlice x{values.indices.data() + start[0], values.values.data() + start[0],
                                static_cast<std::int32_t>(start[1] - start[0]), tile.first};
        const std::int64_t at = (i - rows.first) * kTileStride;
        const std::int64_t in_row = i * heads.mean.cols() + tile.first;
        nn::HeadSlice<R> head;
        head.count = tile.width;
        head.mean = softmax ? heads.mean.data() + in_row : scratch.mean.data() + at;
        head.d_mean = softmax ? heads.d_mean.data() + in_row : scratch.d_mean.data() + at;
        if (spec.likelihood != Likelihood::Mse) head.log_scale = scratch.scale.data() + at;
        if (net.index.blocks[b].gate.weight >= 0) head.gate = scratch.gate.data() + at;
        head.measured = measured_from(net.lacks(row.sample, b), tile.first);
        head.weight = static_cast<R>(row.weight);
        heads.nll[i * static_cast<std::int64_t>(heads.tiles.size()) + t] =
            slice_loss(spec, head, x);
    }
}

template <class R>
void StepHeads<R>::one_tile(const Net<R>& net, Phase phase, const GradientGroups<R>& groups,
                            HeadUnit unit, std::int64_t t, HeadScratch<R>& scratch) {
    BlockHeads<R>& heads = blocks_[unit.block];
    const BlockIndex& index = net.index.blocks[unit.block];
    const bool softmax = is_softmax(net.options.blocks[unit.block]);
    const Tile tile = heads.tiles[t];
    HeadTile<R> mean(net, groups, softmax ? LinearIndex{} : index.mean, tile, scratch.branches);
    HeadTile<R> scale(net, groups, index.log_scale, tile, scratch.branches + 2);
    HeadTile<R> gate(net, groups, index.gate, tile, scratch.branches + 4);
    std::int64_t first = 0;
    do {
        const comm::Range rows{first, std::min(first + kRowBlock, heads.row_count())};
        const auto y = heads.y.middleRows(rows.first, rows.size());
        const auto part = [&](core::Matrix<R>& m) {
            return m.topLeftCorner(rows.size(), tile.width);
        };
        if (mean.exists()) mean.forward(y, part(scratch.mean));
        if (scale.exists()) scale.forward(y, part(scratch.scale));
        if (gate.exists()) gate.forward(y, part(scratch.gate));
        losses(net, unit.block, t, rows, scratch);
        if (phase == Phase::Train) {
            core::Matrix<R>& d_y = heads.d_y[unit.run];
            if (mean.exists()) mean.backward(heads, rows, part(scratch.d_mean), d_y);
            if (scale.exists()) scale.backward(heads, rows, part(scratch.scale), d_y);
            if (gate.exists()) gate.backward(heads, rows, part(scratch.gate), d_y);
        }
        first = rows.last;
    } while (first < heads.row_count());
}

template <class R>
void StepHeads<R>::tiles_of(const Net<R>& net, Phase phase, const GradientGroups<R>& groups,
                            HeadUnit unit, HeadScratch<R>& scratch) {
    BlockHeads<R>& heads = blocks_[unit.block];
    if (phase == Phase::Train) heads.d_y[unit.run].setZero(heads.row_count(), net.top());
    const comm::Range tiles = heads.runs[unit.run];
    for (std::int64_t t = tiles.first; t < tiles.last; ++t)
        one_tile(net, phase, groups, unit, t, scratch);
}

/// The rows' losses, tile after tile, and the gradients at y, run after run.
template <class R>
void StepHeads<R>::distribute(Phase phase, std::vector<ChunkState<R>>& states) {
    const auto chunks = static_cast<std::int64_t>(states.size());
    const auto blocks = static_cast<std::int32_t>(blocks_.size());
    const int threads = static_cast<int>(std::min<std::int64_t>(core::threads(), chunks));
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (std::int64_t c = 0; c < chunks; ++c)
        for (std::int32_t b = 0; b < blocks; ++b) {
            const BlockHeads<R>& heads = blocks_[b];
            BlockState<R>& block = states[c].blocks[b];
            const std::int64_t first = heads.first_row[c];
            const std::int64_t count = heads.first_row[c + 1] - first;
            const auto tiles = static_cast<std::int64_t>(heads.tiles.size());
            block.reconstruction = 0;
            block.corr = 0;
            for (std::int64_t i = 0; i < count; ++i) {
                double nll = 0;
                for (std::int64_t t = 0; t < tiles; ++t) nll += heads.nll[(first + i) * tiles + t];
                const bool latent = i < block.rows();
                const bool once = latent && states[c].present[block.input->rows[i]] < blocks;
                if (latent) block.reconstruction += nll;
                if (!latent || once) block.corr += nll;
            }
            if (phase == Phase::Evaluate) continue;
            block.decoder.d = heads.d_y[0].middleRows(first, count);
            for (std::size_t run = 1; run < heads.d_y.size(); ++run)
                block.decoder.d += heads.d_y[run].middleRows(first, count);
        }
}

template <class R>
void StepHeads<R>::run(const Net<R>& net, const LossScale& scale, Phase phase,
                       const GradientGroups<R>& groups, std::vector<ChunkState<R>>& states) {
    plan(net, groups);
    collect(net, scale, states);
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        if (!is_softmax(net.options.blocks[b])) continue;
        const std::int32_t features = net.options.blocks[b].features;
        blocks_[b].mean.resize(blocks_[b].row_count(), features);
        blocks_[b].d_mean.resize(blocks_[b].row_count(), features);
    }
    softmax_forward(net);
    over_units([&](HeadUnit unit, HeadScratch<R>& scratch) {
        tiles_of(net, phase, groups, unit, scratch);
    });
    if (phase == Phase::Train) softmax_backward(net, groups);
    distribute(phase, states);
}

template class StepHeads<float>;
template class StepHeads<double>;

}  // namespace smeta::model::detail
