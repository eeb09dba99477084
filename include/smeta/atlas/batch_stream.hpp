#pragma once

#include <cstdint>
#include <vector>

#include "smeta/atlas/batch_plan.hpp"
#include "smeta/atlas/row_source.hpp"

namespace smeta::atlas {

/// Gives the rows of some lanes step by step. The rows are read once and kept in memory as compact
/// CSR; callers see only (epoch, step), so that reading ahead from disk can take the place of the
/// memory. Local.
class BatchStream {
  public:
    /// Lanes [lanes.first, lanes.last) of the plan over `rows`. The arguments must outlive the
    /// stream.
    BatchStream(const RowSource& source, const RowSet& rows, const BatchPlan& plan,
                comm::Range lanes);

    /// Reads the lanes' rows, every joint file once from front to back. Throws as RowSource::read.
    void load();
    /// Bytes of the rows in memory.
    std::int64_t bytes() const;
    /// Rows of these lanes that lack a modality.
    std::int64_t rows_without(std::size_t modality) const;

    /// Fixes the order of an epoch (1, 2, ...).
    void begin_epoch(std::int64_t epoch);
    /// Rows of a lane in a step of the epoch; may be empty.
    RowBatch batch(int lane, std::int64_t step) const;
    /// Every row of a lane in the order of its blocks: calls visit(store, row of the store).
    template <class Visit>
    void for_each_row(int lane, Visit&& visit) const {
        for (const auto& block : plan_.lane_blocks(lane))
            for (std::int64_t number = block.first; number < block.last; ++number)
                visit(store_, local_row(number));
    }

  private:
    struct OwnBlock {
        comm::Range numbers;
        std::int64_t first_local = 0;
    };
    std::int64_t local_row(std::int64_t number) const;
    void load_shard(std::size_t shard, std::size_t& next_block);

    const RowSource& source_;
    const RowSet& rows_;
    const BatchPlan& plan_;
    comm::Range lanes_;
    std::vector<OwnBlock> blocks_;  ///< ascending by number
    RowBatch store_;
    std::vector<std::vector<std::int64_t>> order_;  ///< [own lane]: numbers in the epoch's order
};

/// Mean of each feature's encoder input over the training rows that measured it, per modality: what
/// stands in for a feature that a row's sample did not measure. `log1p[m]`: the input of modality m
/// is log(1 + value). Sums run lane by lane and through the lane tree: the same bits on any ranks.
/// Empty vectors where every sample measured everything. Collective.
std::vector<std::vector<float>> mean_inputs(const comm::Comm& comm, const RowSource& source,
                                            const BatchStream& stream, const BatchPlan& plan,
                                            const std::vector<bool>& log1p);

}  // namespace smeta::atlas
