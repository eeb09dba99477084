#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "smeta/atlas/batch_plan.hpp"
#include "smeta/atlas/row_source.hpp"

namespace smeta::atlas {

/// Where the rows lie between the first reading and their steps.
enum class RowPlace {
    Memory,
    Scratch  ///< a scratch file; two windows of each lane are in memory
};

enum class NextEpoch {
    Follows,  ///< epoch e + 1 comes after e: its first rows are read while e ends
    Unknown
};

struct BatchStreamOptions {
    RowPlace place = RowPlace::Memory;
    std::filesystem::path scratch;  ///< folder of the scratch file
    NextEpoch next = NextEpoch::Follows;
};

/// Gives the rows of some lanes step by step. Every joint file is read once; the rows are then kept
/// as the model takes them, in memory or, block by block, in a scratch file, from which a thread
/// reads the windows of a lane ahead of their steps (docs/memory.md). Callers see the same rows in
/// the same order either way. Local, unless it says otherwise.
class BatchStream {
  public:
    /// Lanes [lanes.first, lanes.last) of the plan over `rows`. The arguments must outlive the
    /// stream.
    BatchStream(const RowSource& source, const RowSet& rows, const BatchPlan& plan,
                comm::Range lanes, BatchStreamOptions options = {});
    ~BatchStream();
    BatchStream(const BatchStream&) = delete;
    BatchStream& operator=(const BatchStream&) = delete;

    /// Reads the lanes' rows, every joint file once from front to back. Throws as RowSource::read,
    /// and IoError when the scratch file cannot be written.
    void load();
    /// Bytes of the rows, in memory or in the scratch file.
    std::int64_t bytes() const;
    /// Rows of these lanes that lack a modality.
    std::int64_t rows_without(std::size_t modality) const { return without_.at(modality); }

    /// Fixes the order of an epoch (1, 2, ...), whose steps come from `first_step` on.
    void begin_epoch(std::int64_t epoch, std::int64_t first_step = 0);
    /// True when `fetch` has something to do before this step; the same on every rank.
    bool needs_fetch(std::int64_t step) const;
    /// Waits for the rows of a step and asks for those that come next. IoError when they cannot be
    /// read.
    void fetch(std::int64_t step);
    /// Rows of a lane in a step of the epoch; may be empty. By any thread, after `fetch` of the
    /// last step that needed it.
    RowBatch batch(int lane, std::int64_t step) const;
    /// Every row of a lane in the order of its blocks: calls visit(rows, row in them).
    template <class Visit>
    void for_each_row(int lane, Visit&& visit) const {
        for (const auto& block : plan_.lane_blocks(lane)) {
            RowBatch read;
            const RowBatch& rows = block_rows(block.first, read);
            for (std::int64_t row = 0; row < block.size(); ++row) visit(rows, row);
        }
    }

  private:
    struct Reader;
    struct Place {
        const RowBatch* rows = nullptr;
        std::int64_t first = 0;  ///< row of the block's first
    };
    /// Steps of a lane's windows in an epoch.
    struct Windows {
        std::vector<comm::Range> blocks;
        std::vector<std::int64_t> ends;  ///< rows up to the end of each window

        /// Window of a row of the epoch.
        std::int64_t of(std::int64_t row) const;
    };

    std::size_t block_of(std::int64_t number) const;
    const RowBatch& block_rows(std::int64_t first_number, RowBatch& read) const;
    void load_shard(std::size_t shard, std::size_t& next_block);
    void add_row(const RowBatch& read, std::int64_t row);
    void end_block();
    Windows windows(int lane, std::int64_t epoch) const;
    comm::Range windows_of_step(int lane, std::int64_t step) const;
    void release_before(int lane, std::int64_t step);
    void request(int lane, comm::Range wanted);
    void request_window(int lane, std::int64_t epoch, std::int64_t window);
    void take(int lane, std::int64_t step);

    const RowSource& source_;
    const RowSet& rows_;
    const BatchPlan& plan_;
    comm::Range lanes_;
    BatchStreamOptions options_;
    std::vector<comm::Range> blocks_;  ///< of these lanes, ascending
    std::vector<std::int64_t> without_;
    RowBatch block_;               ///< being loaded
    std::vector<RowBatch> store_;  ///< one a block, in memory
    std::vector<Place> places_;    ///< one a block; no rows where it is not in memory
    std::int64_t epoch_ = 0;
    std::int64_t first_step_ = 0;
    std::vector<Windows> windows_;                  ///< [lane of the plan], of the epoch
    std::vector<std::vector<std::int64_t>> order_;  ///< [own lane]: numbers in the epoch's order
    std::unique_ptr<Reader> reader_;
};

/// Mean of each feature's encoder input over the training rows that measured it, per modality: what
/// stands in for a feature that a row's sample, or one that is mapped later, did not measure.
/// `log1p[m]`: the input of modality m is log(1 + value). Sums run lane by lane and through the
/// lane tree: the same bits on any ranks. Collective.
std::vector<std::vector<float>> mean_inputs(const comm::Comm& comm, const RowSource& source,
                                            const BatchStream& stream, const BatchPlan& plan,
                                            const std::vector<bool>& log1p);

}  // namespace smeta::atlas
