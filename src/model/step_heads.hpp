#pragma once

#include <cstdint>
#include <vector>

#include "smeta/nn/likelihood.hpp"

#include "cvae_impl.hpp"
#include "gradient_sum.hpp"

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

/// Features [first, first + width).
struct Tile {
    std::int32_t first = 0;
    std::int32_t width = 0;
};

/// Heads of one block, rows of all chunks one after the other.
template <class R>
struct BlockHeads {
    std::vector<Tile> tiles;
    std::vector<comm::Range> runs;        ///< tiles that one thread does in turn, at most kRuns
    std::vector<std::int64_t> first_row;  ///< of each chunk, and the end
    std::vector<std::int64_t> starts;     ///< an entry: where each tile's stored values begin, end
    std::vector<DecoderRow> rows;
    core::Matrix<R> y;                 ///< rows x top: the decoder's output
    std::vector<core::Matrix<R>> d_y;  ///< a run: its share of the gradient at y
    core::Matrix<R> mean, d_mean;      ///< rows x features: softmax heads only
    std::vector<double> nll;           ///< a row: a tile

    std::int64_t row_count() const { return first_row.back(); }
};

/// Tiles of a thread.
template <class R>
struct HeadScratch {
    core::Matrix<R> mean, d_mean, scale, gate;
    std::vector<core::Matrix<R>> branches[6];
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
    void softmax_forward(const Net<R>& net);
    void softmax_backward(const Net<R>& net, const GradientGroups<R>& groups);
    void tiles_of(const Net<R>& net, Phase phase, const GradientGroups<R>& groups, HeadUnit unit,
                  HeadScratch<R>& scratch);
    void one_tile(const Net<R>& net, Phase phase, const GradientGroups<R>& groups, HeadUnit unit,
                  std::int64_t tile, HeadScratch<R>& scratch);
    void losses(const Net<R>& net, std::int32_t b, std::int64_t tile, comm::Range rows,
                HeadScratch<R>& scratch);
    void distribute(Phase phase, std::vector<ChunkState<R>>& states);
    template <class Body>
    void over_units(const Body& body);
    template <class Body>
    void over_softmax_rows(const Net<R>& net, const Body& body);

    std::vector<BlockHeads<R>> blocks_;
    std::vector<HeadUnit> units_;
    std::vector<HeadScratch<R>> scratch_;
};

}  // namespace smeta::model::detail
