#include "step_heads.hpp"

#include <cmath>

#include <omp.h>

namespace smeta::model::detail {

namespace {

// The heads' tiles for 128 rows, their weights in two layouts and their gradients fit into a
// second-level cache of 2 MiB. Tiles of a block are equally wide up to a strip, one vector of the
// product; rows of a tile are an odd number of cache lines apart.
constexpr std::int32_t kTileWidth = 240;
constexpr std::int32_t kStrip = 16;
constexpr std::int32_t kTileStride = kTileWidth + 32;
constexpr std::int64_t kRowBlock = 128;
constexpr std::int32_t kRuns = 8;
constexpr std::int64_t kSlicesAhead = 2;
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

/// Brings a row, if there is one, into the second-level cache.
template <class R>
void prefetch_row(const core::Matrix<R>& m, std::int64_t row) {
    constexpr std::int64_t kLine = 64 / sizeof(R);
    if (row >= m.rows()) return;
    const R* first = m.data() + row * m.cols();
    for (std::int64_t k = 0; k < m.cols(); k += kLine) __builtin_prefetch(first + k, 0, 2);
}

/// A row's entries in tile t.
nn::SparseSlice slice_of(const DecoderRow& row, const std::vector<std::int64_t>& starts,
                         std::int64_t t, std::int32_t first_feature) {
    const core::CountsCsr& values = row.input->values;
    const std::int64_t* start = starts.data() + row.starts + t;
    return {values.indices.data() + start[0], values.values.data() + start[0],
            static_cast<std::int32_t>(start[1] - start[0]), first_feature};
}

/// Brings a slice's entries into the first-level cache: the slices of a tile's rows lie too far
/// apart for a processor to foresee them.
void prefetch_slice(const nn::SparseSlice& x) {
    constexpr std::int32_t kLine = 64 / sizeof(float);
    for (std::int32_t k = 0; k < x.count; k += kLine) {
        __builtin_prefetch(x.columns + k, 0, 3);
        __builtin_prefetch(x.values + k, 0, 3);
    }
}

/// Runs body(rows) over all rows, a block at a time; once also without any row.
template <class Body>
void over_row_blocks(std::int64_t count, const Body& body) {
    std::int64_t first = 0;
    do {
        const comm::Range rows{first, std::min(first + kRowBlock, count)};
        body(rows);
        first = rows.last;
    } while (first < count);
}

}  // namespace

template <class R>
void StepHeads<R>::plan(const Net<R>& net, const GradientGroups<R>& groups) {
    scratch_.resize(std::max<std::size_t>(scratch_.size(), core::threads()));
    for (HeadScratch<R>& scratch : scratch_) {
        for (core::Matrix<R>* tile :
             {&scratch.mean, &scratch.d_mean, &scratch.scale, &scratch.gate})
            if (tile->size() == 0) tile->setZero(kRowBlock, kTileStride);
        for (HeadBuffers<R>* head :
             {&scratch.mean_buffers, &scratch.scale_buffers, &scratch.gate_buffers}) {
            head->weight.reserve(net.top(), kTileWidth);
            head->weight_transposed.reserve(kTileWidth, net.top());
            GradientSum<R>::reserve(groups, net.top(), kTileWidth, head->weight_branches);
            GradientSum<R>::reserve(groups, 1, kTileWidth, head->bias_branches);
        }
    }
    if (!blocks_.empty()) return;
    blocks_.resize(net.options.blocks.size());
    for (const bool softmax : {false, true}) {
        first_softmax_ = units_.size();
        for (std::int32_t b = 0; b < net.block_count(); ++b) {
            const ModalityBlock& spec = net.options.blocks[b];
            if (is_softmax(spec) != softmax) continue;
            BlockHeads<R>& heads = blocks_[b];
            const std::int32_t count = (spec.features + kTileWidth - 1) / kTileWidth;
            const std::int32_t strips = (spec.features + kStrip - 1) / kStrip;
            for (std::int32_t t = 0; t < count; ++t) {  // the widest first
                const comm::Range mine = comm::even_share(strips, count, t);
                const auto first = static_cast<std::int32_t>(mine.first * kStrip);
                const auto last = static_cast<std::int32_t>(mine.last * kStrip);
                heads.tiles.push_back({first, std::min(last, spec.features) - first});
            }
            const auto tiles = static_cast<std::int32_t>(heads.tiles.size());
            for (std::int32_t run = 0; run < std::min(kRuns, tiles); ++run) {
                heads.runs.push_back(comm::even_share(tiles, std::min(kRuns, tiles), run));
                units_.push_back({b, run});
            }
            heads.d_y.resize(heads.runs.size());
        }
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
        heads.resize_y(net.top());
        for (core::Matrix<R>& d_y : heads.d_y) resize_large(d_y, heads.row_count(), net.top());
        if (is_softmax(spec)) heads.softmax.resize(heads.row_count(), heads.tiles);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
        for (std::int64_t c = 0; c < chunks; ++c) {
            const ChunkState<R>& s = states[c];
            const BlockState<R>& block = s.blocks[b];
            std::int64_t first_entry = 0;
            for (std::int64_t before = 0; before < c; ++before)
                first_entry += states[before].blocks[b].rows();
            find_starts(s, b, first_entry);
            heads.y().middleRows(heads.first_row[c], block.decoder.y.rows()) = block.decoder.y;
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
void StepHeads<R>::over_units(std::size_t first, const Body& body) {
    const auto count = static_cast<std::int64_t>(units_.size() - first);
    const int threads = static_cast<int>(std::min<std::int64_t>(core::threads(), count));
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (std::int64_t u = 0; u < count; ++u)
        body(units_[first + u], scratch_[omp_get_thread_num()]);
}

template <class R>
void StepHeads<R>::logits_of(const Net<R>& net, const GradientGroups<R>& groups, HeadUnit unit,
                             HeadScratch<R>& scratch) {
    BlockHeads<R>& heads = blocks_[unit.block];
    SoftmaxRows<R>& softmax = heads.softmax;
    const auto tiles = static_cast<std::int64_t>(heads.tiles.size());
    for (std::int64_t t = heads.runs[unit.run].first; t < heads.runs[unit.run].last; ++t) {
        const Tile tile = heads.tiles[t];
        HeadTile<R> mean(net, groups, net.index.blocks[unit.block].mean, tile,
                         scratch.mean_buffers);
        over_row_blocks(heads.row_count(), [&](comm::Range rows) {
            mean.forward(
                heads.y().middleRows(rows.first, rows.size()),
                softmax.logits.block(t * softmax.rows() + rows.first, 0, rows.size(), tile.width));
            for (std::int64_t i = rows.first; i < rows.last; ++i)
                softmax.parts[i * tiles + t] = nn::softmax_part<R>(
                    {softmax.logits_at(t, i), static_cast<std::size_t>(tile.width)},
                    measured_from(net.lacks(heads.rows[i].sample, unit.block), tile.first));
        });
    }
}

template <class R>
void StepHeads<R>::normalise_rows(const Net<R>& net) {
    for (std::int32_t b = 0; b < net.block_count(); ++b) {
        if (!is_softmax(net.options.blocks[b])) continue;
        BlockHeads<R>& heads = blocks_[b];
        SoftmaxRows<R>& softmax = heads.softmax;
        const std::size_t tiles = heads.tiles.size();
        const std::int64_t count = heads.row_count();
#pragma omp parallel for schedule(static) num_threads(core::threads()) if (core::threads() > 1)
        for (std::int64_t i = 0; i < count; ++i) {
            const DecoderRow& row = heads.rows[i];
            softmax.log_sum[i] = nn::log_sum_exp({softmax.parts.data() + i * tiles, tiles});
            softmax.shift[i] =
                static_cast<R>(std::log(row.input->libraries[row.entry]) - softmax.log_sum[i]);
        }
    }
}

template <class R>
void StepHeads<R>::logit_gradients_of(const Net<R>& net, const GradientGroups<R>& groups,
                                      HeadUnit unit, HeadScratch<R>& scratch) {
    BlockHeads<R>& heads = blocks_[unit.block];
    SoftmaxRows<R>& softmax = heads.softmax;
    const BlockIndex& index = net.index.blocks[unit.block];
    const auto tiles = static_cast<std::int64_t>(heads.tiles.size());
    const comm::Range run = heads.runs[unit.run];
    for (std::int64_t t = run.first; t < run.last; ++t) {
        const Tile tile = heads.tiles[t];
        const auto width = static_cast<std::size_t>(tile.width);
        HeadTile<R> mean(net, groups, index.mean, tile, scratch.mean_buffers);
        const bool first = t == run.first && index.log_scale.weight < 0;
        over_row_blocks(heads.row_count(), [&](comm::Range rows) {
            for (std::int64_t i = rows.first; i < rows.last; ++i) {
                double d_sum = 0;
                for (std::int64_t k = 0; k < tiles; ++k) d_sum += softmax.d_sum[i * tiles + k];
                nn::softmax_backward<R>(
                    {softmax.logits_at(t, i), width}, softmax.log_sum[i],
                    {softmax.d_mean_at(t, i), width}, static_cast<R>(d_sum),
                    {scratch.d_mean.data() + (i - rows.first) * kTileStride, width});
            }
            mean.backward(heads.y(), heads.first_row, rows,
                          scratch.d_mean.topLeftCorner(rows.size(), tile.width),
                          heads.d_y[unit.run], first ? nn::Target::Replace : nn::Target::Add);
        });
    }
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
        prefetch_row(heads.padded_y, i + kRowBlock);  // the next block's, in time for its products
        const nn::SparseSlice x = slice_of(row, heads.starts, t, tile.first);
        if (i + kSlicesAhead < rows.last)
            prefetch_slice(slice_of(heads.rows[i + kSlicesAhead], heads.starts, t, tile.first));
        const std::int64_t at = (i - rows.first) * kTileStride;
        nn::HeadSlice<R> head;
        head.count = tile.width;
        if (softmax) {
            head.mean = heads.softmax.logits_at(t, i);
            head.d_mean = heads.softmax.d_mean_at(t, i);
            head.mean_shift = heads.softmax.shift[i];
        } else {
            head.mean = scratch.mean.data() + at;
            head.d_mean = scratch.d_mean.data() + at;
        }
        if (spec.likelihood != Likelihood::Mse) head.log_scale = scratch.scale.data() + at;
        if (net.index.blocks[b].gate.weight >= 0) head.gate = scratch.gate.data() + at;
        head.measured = measured_from(net.lacks(row.sample, b), tile.first);
        head.weight = static_cast<R>(row.weight);
        const std::int64_t place = i * static_cast<std::int64_t>(heads.tiles.size()) + t;
        heads.nll[place] = slice_loss(spec, head, x);
        if (softmax)
            heads.softmax.d_sum[place] =
                nn::slice_sum<R>({head.d_mean, static_cast<std::size_t>(tile.width)});
    }
}

template <class R>
void StepHeads<R>::one_tile(const Net<R>& net, Phase phase, const GradientGroups<R>& groups,
                            HeadUnit unit, std::int64_t t, HeadScratch<R>& scratch) {
    BlockHeads<R>& heads = blocks_[unit.block];
    const BlockIndex& index = net.index.blocks[unit.block];
    const bool softmax = is_softmax(net.options.blocks[unit.block]);
    const Tile tile = heads.tiles[t];
    HeadTile<R> mean(net, groups, softmax ? LinearIndex{} : index.mean, tile, scratch.mean_buffers);
    HeadTile<R> scale(net, groups, index.log_scale, tile, scratch.scale_buffers);
    HeadTile<R> gate(net, groups, index.gate, tile, scratch.gate_buffers);
    over_row_blocks(heads.row_count(), [&](comm::Range rows) {
        const auto y = heads.y().middleRows(rows.first, rows.size());
        const auto part = [&](core::Matrix<R>& m) {
            return m.topLeftCorner(rows.size(), tile.width);
        };
        if (mean.exists()) mean.forward(y, part(scratch.mean));
        if (scale.exists()) scale.forward(y, part(scratch.scale));
        if (gate.exists()) gate.forward(y, part(scratch.gate));
        losses(net, unit.block, t, rows, scratch);
        if (phase == Phase::Evaluate) return;
        auto target = t == heads.runs[unit.run].first ? nn::Target::Replace : nn::Target::Add;
        const auto backward = [&](HeadTile<R>& head, core::Matrix<R>& d) {
            if (!head.exists()) return;
            head.backward(heads.y(), heads.first_row, rows, part(d), heads.d_y[unit.run], target);
            target = nn::Target::Add;
        };
        backward(mean, scratch.d_mean);
        backward(scale, scratch.scale);
        backward(gate, scratch.gate);
    });
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
    const auto tiles_of = [&](HeadUnit unit, HeadScratch<R>& scratch) {
        const comm::Range run = blocks_[unit.block].runs[unit.run];
        for (std::int64_t t = run.first; t < run.last; ++t)
            one_tile(net, phase, groups, unit, t, scratch);
    };
    over_units(0, [&](HeadUnit unit, HeadScratch<R>& scratch) {
        if (is_softmax(net.options.blocks[unit.block]))
            logits_of(net, groups, unit, scratch);
        else
            tiles_of(unit, scratch);
    });
    normalise_rows(net);
    over_units(first_softmax_, tiles_of);
    if (phase == Phase::Train)
        over_units(first_softmax_, [&](HeadUnit unit, HeadScratch<R>& scratch) {
            logit_gradients_of(net, groups, unit, scratch);
        });
    distribute(phase, states);
}

template class StepHeads<float>;
template class StepHeads<double>;

}  // namespace smeta::model::detail
