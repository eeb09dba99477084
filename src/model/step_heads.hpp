#pragma once

#include <cstdint>
#include <vector>

#include "smeta/core/memory.hpp"
#include "smeta/nn/likelihood.hpp"

#include "cvae_impl.hpp"
#include "head_tile.hpp"

/// The decoders' heads and losses, nine tenths of a step's arithmetic: threads run over tiles of
/// features, each for the rows of all chunks. A row's numbers do not depend on the other rows
/// (nn/gemm.hpp); what is summed over rows is summed chunk by chunk (`GradientSum`).
namespace smeta::model::detail {

/// One row of a decoder's stacked passes.
struct DecoderRow {
    const ModalityRows* input = nullptr;
    std::int64_t entry = 0;   ///< place in `input`
    std::int64_t starts = 0;  ///< of this entry in `BlockHeads::starts`
    std::int32_t sample = 0;
    double weight = 0;  ///< of its loss in the total
};

/// Another size of a large matrix that is written before it is read.
template <class R>
void resize_large(core::Matrix<R>& m, std::int64_t rows, std::int64_t cols) {
    if (m.rows() == rows && m.cols() == cols) return;
    m.resize(rows, cols);
    core::prefer_large_pages(m.data(), static_cast<std::size_t>(m.size()) * sizeof(R));
}

/// What a softmax over tiles keeps of all rows between its three steps; a tile's rows lie side by
/// side.
template <class R>
struct SoftmaxRows {
    core::Matrix<R> logits;              ///< (tiles * rows) x width of a tile
    core::Matrix<R> d_mean;              ///< gradient at log mu, likewise
    std::vector<nn::SoftmaxPart> parts;  ///< a row: a tile
    std::vector<double> d_sum;           ///< a row: a tile: sum of d_mean
    std::vector<double> log_sum;         ///< a row: logarithm of the sum of exp
    std::vector<R> shift;                ///< a row: from logits to log mu

    void resize(std::int64_t rows, const std::vector<Tile>& tiles) {
        const auto count = static_cast<std::int64_t>(tiles.size());
        resize_large(logits, count * rows, tiles.front().width);
        resize_large(d_mean, count * rows, tiles.front().width);
        parts.resize(count * rows);
        d_sum.resize(count * rows);
        log_sum.resize(rows);
        shift.resize(rows);
    }
    std::int64_t rows() const { return std::ssize(shift); }
    R* logits_at(std::int64_t tile, std::int64_t row) {
        return logits.data() + (tile * rows() + row) * logits.cols();
    }
    R* d_mean_at(std::int64_t tile, std::int64_t row) {
        return d_mean.data() + (tile * rows() + row) * d_mean.cols();
    }
};

/// Heads of one block, rows of all chunks one after the other.
template <class R>
struct BlockHeads {
    std::vector<Tile> tiles;
    std::vector<comm::Range> runs;        ///< tiles that one thread does in turn, at most kRuns
    std::vector<std::int64_t> first_row;  ///< of each chunk, and the end
    std::vector<std::int64_t> starts;     ///< an entry: where each tile's stored values begin, end
    std::vector<DecoderRow> rows;
    std::int64_t top = 0;              ///< columns of y
    core::Matrix<R> padded_y;          ///< see `resize_y`
    std::vector<core::Matrix<R>> d_y;  ///< a run: its share of the gradient at y
    std::vector<double> nll;           ///< a row: a tile
    SoftmaxRows<R> softmax;            ///< of softmax heads only

    std::int64_t row_count() const { return first_row.back(); }
    /// Rows are an odd number of cache lines apart, so that a column does not fall into a few sets
    /// of the cache.
    void resize_y(std::int64_t columns) {
        constexpr std::int64_t kLine = 64 / sizeof(R);
        top = columns;
        resize_large(padded_y, row_count(), ((top + kLine - 1) / kLine | 1) * kLine);
    }
    /// Rows x top: the decoder's output.
    auto y() { return padded_y.leftCols(top); }
};

/// Tiles of a thread.
template <class R>
struct HeadScratch {
    core::Matrix<R> mean, d_mean, scale, gate;
    HeadBuffers<R> mean_buffers, scale_buffers, gate_buffers;
};

/// One run of tiles of one block.
struct HeadUnit {
    std::int32_t block = 0;
    std::int32_t run = 0;
};

template <class R>
class StepHeads {
  public:
    /// Losses of every block into the chunks' states; in training also the gradients of the heads
    /// into the groups' arenas and those at the decoders' outputs into the states.
    void run(const Net<R>& net, const LossScale& scale, Phase phase,
             const GradientGroups<R>& groups, std::vector<ChunkState<R>>& states);

  private:
    void plan(const Net<R>& net, const GradientGroups<R>& groups);
    void collect(const Net<R>& net, const LossScale& scale, std::vector<ChunkState<R>>& states);
    void find_starts(const ChunkState<R>& s, std::int32_t b, std::int64_t first_entry);
    void logits_of(const Net<R>& net, const GradientGroups<R>& groups, HeadUnit unit,
                   HeadScratch<R>& scratch);
    void normalise_rows(const Net<R>& net);
    void logit_gradients_of(const Net<R>& net, const GradientGroups<R>& groups, HeadUnit unit,
                            HeadScratch<R>& scratch);
    void one_tile(const Net<R>& net, Phase phase, const GradientGroups<R>& groups, HeadUnit unit,
                  std::int64_t tile, HeadScratch<R>& scratch);
    void losses(const Net<R>& net, std::int32_t b, std::int64_t tile, comm::Range rows,
                HeadScratch<R>& scratch);
    void distribute(Phase phase, std::vector<ChunkState<R>>& states);
    template <class Body>
    void over_units(std::size_t first, const Body& body);

    std::vector<BlockHeads<R>> blocks_;
    std::vector<HeadUnit> units_;  ///< those of softmax blocks last
    std::size_t first_softmax_ = 0;
    std::vector<HeadScratch<R>> scratch_;
};

}  // namespace smeta::model::detail
