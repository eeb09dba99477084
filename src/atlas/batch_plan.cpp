#include "smeta/atlas/batch_plan.hpp"

#include <algorithm>
#include <bit>
#include <numeric>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

namespace smeta::atlas {

namespace {

// Fisher-Yates, one draw a position.
template <class T>
void permute(std::span<T> items, const core::Philox& draws) {
    for (std::size_t i = items.size(); i > 1; --i)
        std::swap(items[i - 1], items[draws.below(i - 1, i)]);
}

}  // namespace

BatchPlan::BatchPlan(BatchPlanConfig config, const std::vector<std::int64_t>& shard_rows)
    : config_(config),
      rows_(std::accumulate(shard_rows.begin(), shard_rows.end(), std::int64_t{0})) {
    if (config.lanes < 1 || !std::has_single_bit(static_cast<unsigned>(config.lanes)))
        throw core::ConfigError(
            fmt::format("train.lanes = {}: must be a power of two", config.lanes));
    if (8 * config.lanes > config.batch_size)
        throw core::ConfigError(fmt::format(
            "train.lanes = {} needs train.batch_size of at least {} (8 rows a lane), found {}",
            config.lanes, 8 * config.lanes, config.batch_size));
    steps_ = (rows_ + config.batch_size - 1) / config.batch_size;
    block_rows_ = std::clamp<std::int64_t>(rows_ / (64 * config.lanes), 1, 256);

    std::vector<comm::Range> blocks;
    std::int64_t shard_begin = 0;
    for (const std::int64_t size : shard_rows) {
        for (std::int64_t at = 0; at < size; at += block_rows_)
            blocks.push_back({shard_begin + at, shard_begin + std::min(at + block_rows_, size)});
        shard_begin += size;
    }
    permute(std::span(blocks), core::Philox(config.seed, core::DrawPurpose::DealBlocks));
    blocks_.resize(config.lanes);
    lane_rows_.assign(config.lanes, 0);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
        const std::size_t lane = b % config.lanes;
        blocks_[lane].push_back(blocks[b]);
        lane_rows_[lane] += blocks[b].size();
    }
}

std::vector<comm::Range> BatchPlan::epoch_blocks(int lane, std::int64_t epoch) const {
    std::vector<comm::Range> blocks = blocks_[lane];
    permute(std::span(blocks),
            core::Philox(config_.seed, core::DrawPurpose::EpochOrder,
                         static_cast<std::uint64_t>(epoch), {static_cast<std::uint64_t>(lane), 0}));
    return blocks;
}

std::vector<std::int64_t> BatchPlan::epoch_order(int lane, std::int64_t epoch) const {
    const auto lane_number = static_cast<std::uint64_t>(lane);
    const auto epoch_number = static_cast<std::uint64_t>(epoch);
    const std::vector<comm::Range> blocks = epoch_blocks(lane, epoch);
    std::vector<std::int64_t> order;
    order.reserve(lane_rows_[lane]);
    std::uint64_t window = 0;
    for (std::size_t begin = 0; begin < blocks.size(); begin += kWindowBlocks) {
        const std::size_t end = std::min<std::size_t>(begin + kWindowBlocks, blocks.size());
        const std::size_t first_row = order.size();
        for (std::size_t b = begin; b < end; ++b)
            for (std::int64_t row = blocks[b].first; row < blocks[b].last; ++row)
                order.push_back(row);
        permute(std::span(order).subspan(first_row),
                core::Philox(config_.seed, core::DrawPurpose::EpochOrder, epoch_number,
                             {lane_number, ++window}));
    }
    return order;
}

comm::Range BatchPlan::step_rows(int lane, std::int64_t step) const {
    const std::int64_t rows = lane_rows_[lane];
    return {step * rows / steps_, (step + 1) * rows / steps_};
}

std::int64_t BatchPlan::batch_rows(std::int64_t step) const {
    std::int64_t total = 0;
    for (int lane = 0; lane < config_.lanes; ++lane) total += step_rows(lane, step).size();
    return total;
}

}  // namespace smeta::atlas
