#include "smeta/model/train_plan.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "smeta/atlas/batch_plan.hpp"
#include "smeta/comm/spot_partition.hpp"
#include "smeta/core/error.hpp"

namespace smeta::model {

namespace {

constexpr double kBytesPerValue = 8;  // int32 column, float32 value
constexpr double kBytesPerRow = 64;   // key, codes, row pointers, place in the epoch's order
constexpr std::int64_t kArenas = 6;   // values, gradient, two moments, best weights, checkpoint

double mebibytes(std::int64_t bytes) {
    return static_cast<double>(bytes) / (1024.0 * 1024.0);
}

}  // namespace

TrainPlan plan_training(const TrainConfig& config, std::uint64_t seed, const TrainSize& size,
                        int ranks, int threads, std::optional<std::int64_t> memory) {
    const atlas::BatchPlan plan({seed, static_cast<int>(config.lanes), config.batch_size},
                                size.shard_rows);
    const comm::SpotPartition partition(plan.config().lanes, ranks, plan.lane_rows());
    TrainPlan result{.rows = plan.rows(),
                     .steps = plan.steps(),
                     .checkpoint_bytes = 5 * size.parameters * 4,
                     .ranks = {}};
    for (int rank = 0; rank < ranks; ++rank) {
        RankPlan mine{
            .lanes = partition.lanes_of(rank), .rows = partition.rows_of(rank), .bytes = 0};
        const std::int64_t chunks =
            config.reduction == Reduction::FixedTree ? mine.lanes.size() : threads;
        mine.bytes =
            static_cast<std::int64_t>(static_cast<double>(mine.rows) *
                                      (size.values_per_row * kBytesPerValue + kBytesPerRow)) +
            (kArenas + chunks) * size.parameters * 4;
        if (memory && mine.bytes > *memory)
            throw core::ConfigError(fmt::format(
                "rank {} of {} needs about {:.0f} MiB for {} rows and the model, --mem allows "
                "{:.0f} MiB; start more ranks (at most train.lanes = {})",
                rank, ranks, mebibytes(mine.bytes), mine.rows, mebibytes(*memory), config.lanes));
        result.ranks.push_back(mine);
    }
    return result;
}

std::string to_text(const TrainPlan& plan) {
    std::string text = fmt::format("rows\t{}\nsteps an epoch\t{}\ncheckpoint MiB\t{:.1f}\n\n",
                                   plan.rows, plan.steps, mebibytes(plan.checkpoint_bytes));
    text += "rank\tlanes\trows\tMiB\n";
    for (std::size_t rank = 0; rank < plan.ranks.size(); ++rank) {
        const RankPlan& mine = plan.ranks[rank];
        text += fmt::format("{}\t{}-{}\t{}\t{:.1f}\n", rank, mine.lanes.first, mine.lanes.last - 1,
                            mine.rows, mebibytes(mine.bytes));
    }
    return text;
}

}  // namespace smeta::model
