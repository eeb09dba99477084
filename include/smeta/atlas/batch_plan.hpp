#pragma once

#include <cstdint>
#include <vector>

#include "smeta/comm/comm.hpp"

namespace smeta::atlas {

/// What an order of training depends on. All of it is part of a run's identity; ranks and threads
/// are not.
struct BatchPlanConfig {
    std::uint64_t seed = 0;
    int lanes = 8;                  ///< power of two
    std::int64_t batch_size = 128;  ///< global rows a step
};

/// Which rows meet in which step: a pure function of (seed, epoch, step). Rows are numbered 0..N-1
/// in canonical order (samples bytewise by name, then row). They are cut into blocks of consecutive
/// rows of one shard; a permutation by the seed deals the blocks to lanes once; each epoch permutes
/// a lane's blocks, then its rows inside windows of 16 blocks. Local, without MPI; equal on every
/// rank.
///
/// Example: shards of 1,000 and 25 rows, 4 lanes, batch 128: N = 1,025, block = clamp(1025 / 256,
/// 1, 256) = 4 rows, 250 + 7 blocks (the last of shard 1 has one row); lane 0 has 65 blocks, the
/// others 64; S = ceil(1025 / 128) = 9 steps of 113 or 114 rows, give or take one a lane; there is
/// no short last batch.
class BatchPlan {
  public:
    /// `shard_rows`: training rows of each joint file, in canonical order. Throws ConfigError
    /// unless lanes is a power of two and 8 lanes <= batch_size.
    BatchPlan(BatchPlanConfig config, const std::vector<std::int64_t>& shard_rows);

    const BatchPlanConfig& config() const { return config_; }
    std::int64_t rows() const { return rows_; }
    std::int64_t steps() const { return steps_; }
    std::int64_t block_rows() const { return block_rows_; }

    /// Blocks of a lane in the order they were dealt; each [first, last) lies in one shard.
    const std::vector<comm::Range>& lane_blocks(int lane) const { return blocks_[lane]; }
    std::int64_t lane_rows(int lane) const { return lane_rows_[lane]; }
    const std::vector<std::int64_t>& lane_rows() const { return lane_rows_; }

    /// Blocks of a lane in the order in which `epoch` (1, 2, ...) visits them; rows are mixed
    /// inside windows of kWindowBlocks.
    std::vector<comm::Range> epoch_blocks(int lane, std::int64_t epoch) const;
    /// Every row of a lane once, in the order in which `epoch` visits them.
    std::vector<std::int64_t> epoch_order(int lane, std::int64_t epoch) const;
    /// Step `step` (0 .. steps() - 1) takes these positions of the lane's epoch order.
    comm::Range step_rows(int lane, std::int64_t step) const;
    /// Rows of the whole mini-batch of a step, over all lanes.
    std::int64_t batch_rows(std::int64_t step) const;

    static constexpr std::int64_t kWindowBlocks = 16;

  private:
    BatchPlanConfig config_;
    std::int64_t rows_ = 0;
    std::int64_t steps_ = 0;
    std::int64_t block_rows_ = 1;
    std::vector<std::vector<comm::Range>> blocks_;
    std::vector<std::int64_t> lane_rows_;
};

}  // namespace smeta::atlas
