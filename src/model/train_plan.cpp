#include "smeta/model/train_plan.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "smeta/atlas/batch_plan.hpp"
#include "smeta/comm/spot_partition.hpp"
#include "smeta/core/error.hpp"

namespace smeta::model {

namespace {

constexpr double kBytesPerValue = 8;  // int32 column, float32 value
constexpr double kBytesPerRow = 64;   // key, codes, row pointers
constexpr double kBytesPerOrder = 8;  // a row's place in the epoch's order
constexpr std::int64_t kArenas = 6;   // values, gradient, two moments, best weights, checkpoint
constexpr double kStepCopies = 3;     // a step's rows: as read, merged, cut into chunks
constexpr double kActivations = 32;   // bytes a feature and row: both passes of the decoders
constexpr std::int64_t kReading = std::int64_t{64}
                                  << 20U;  // parts of joint files while they are read
constexpr std::int64_t kProgram = std::int64_t{128} << 20U;  // MPI, HDF5, the executable

double mebibytes(std::int64_t bytes) {
    return static_cast<double>(bytes) / (1024.0 * 1024.0);
}

/// Windows of a lane that are in memory at a time: two, or those that one step spans.
std::int64_t resident_windows(const atlas::BatchPlan& plan) {
    const std::int64_t window = atlas::BatchPlan::kWindowBlocks * plan.block_rows();
    const auto& rows = plan.lane_rows();
    const std::int64_t largest = *std::max_element(rows.begin(), rows.end());
    const std::int64_t step = plan.steps() == 0 ? 0 : largest / plan.steps() + 1;
    return std::max<std::int64_t>(2, (step + window - 2) / window + 1);
}

const char* place_name(atlas::RowPlace place) {
    return place == atlas::RowPlace::Memory ? "in memory" : "streaming from a scratch file";
}

const RankPlan& largest_of(const TrainPlan& plan) {
    return *std::max_element(plan.ranks.begin(), plan.ranks.end(),
                             [&](const RankPlan& a, const RankPlan& b) {
                                 return a.bytes(plan.place) < b.bytes(plan.place);
                             });
}

}  // namespace

TrainPlan plan_training(const TrainConfig& config, std::uint64_t seed, const TrainSize& size,
                        int ranks, int threads, std::int64_t budget) {
    const atlas::BatchPlan plan({seed, static_cast<int>(config.lanes), config.batch_size},
                                size.shard_rows);
    const comm::SpotPartition partition(plan.config().lanes, ranks, plan.lane_rows());
    TrainPlan result{.rows = plan.rows(),
                     .steps = plan.steps(),
                     .checkpoint_bytes = 5 * size.parameters * 4,
                     .budget = budget,
                     .place = atlas::RowPlace::Memory,
                     .ranks = {}};
    const double row_bytes = size.values_per_row * kBytesPerValue + kBytesPerRow;
    // Validation rows have windows of their own.
    const std::int64_t window_rows = resident_windows(plan) * atlas::BatchPlan::kWindowBlocks *
                                     plan.block_rows() * (config.validation > 0 ? 2 : 1);
    for (int rank = 0; rank < ranks; ++rank) {
        RankPlan mine;
        mine.lanes = partition.lanes_of(rank);
        mine.rows = partition.rows_of(rank);
        const auto rows = static_cast<double>(mine.rows);
        mine.data = static_cast<std::int64_t>(rows * row_bytes);
        mine.windows = static_cast<std::int64_t>(
            std::min(rows, static_cast<double>(mine.lanes.size() * window_rows)) * row_bytes);
        const std::int64_t chunks =
            config.reduction == Reduction::FixedTree ? mine.lanes.size() : threads;
        mine.model = (kArenas + chunks) * size.parameters * 4;
        const double step = static_cast<double>(config.batch_size) *
                            static_cast<double>(mine.lanes.size()) /
                            static_cast<double>(config.lanes);
        mine.workspace =
            kProgram + kReading +
            static_cast<std::int64_t>(rows * kBytesPerOrder +
                                      step * (kStepCopies * row_bytes +
                                              kActivations * static_cast<double>(size.features)));
        if (mine.bytes(atlas::RowPlace::Memory) > budget) result.place = atlas::RowPlace::Scratch;
        result.ranks.push_back(mine);
    }
    for (int rank = 0; rank < ranks; ++rank)
        if (const RankPlan& mine = result.ranks[rank]; mine.bytes(result.place) > budget)
            throw core::ConfigError(fmt::format(
                "rank {} of {} needs about {:.0f} MiB: {:.0f} for two windows of {} lanes, {:.0f} "
                "for the model, {:.0f} for a step and the program; {:.0f} MiB are allowed: raise "
                "--mem, start more ranks (at most train.lanes = {}) or lower train.batch_size",
                rank, ranks, mebibytes(mine.bytes(result.place)), mebibytes(mine.windows),
                mine.lanes.size(), mebibytes(mine.model), mebibytes(mine.workspace),
                mebibytes(budget), config.lanes));
    return result;
}

std::string to_text(const TrainPlan& plan) {
    std::string text = fmt::format(
        "rows\t{}\nsteps an epoch\t{}\ncheckpoint MiB\t{:.1f}\nMiB allowed a rank\t{:.1f}\n"
        "training rows\t{}\n\n",
        plan.rows, plan.steps, mebibytes(plan.checkpoint_bytes), mebibytes(plan.budget),
        place_name(plan.place));
    const bool memory = plan.place == atlas::RowPlace::Memory;
    text += "rank\tlanes\trows\tMiB\trows MiB\tmodel MiB\tworkspace MiB\tscratch file MiB\n";
    for (std::size_t rank = 0; rank < plan.ranks.size(); ++rank) {
        const RankPlan& mine = plan.ranks[rank];
        text += fmt::format("{}\t{}-{}\t{}\t{:.1f}\t{:.1f}\t{:.1f}\t{:.1f}\t{:.1f}\n", rank,
                            mine.lanes.first, mine.lanes.last - 1, mine.rows,
                            mebibytes(mine.bytes(plan.place)),
                            mebibytes(memory ? mine.data : mine.windows), mebibytes(mine.model),
                            mebibytes(mine.workspace), memory ? 0.0 : mebibytes(mine.data));
    }
    return text;
}

std::string summary(const TrainPlan& plan) {
    const RankPlan& most = largest_of(plan);
    const bool memory = plan.place == atlas::RowPlace::Memory;
    return fmt::format(
        "rows {}: a rank needs at most about {:.0f} of {:.0f} MiB: {} {:.0f}, model {:.0f}, "
        "workspace {:.0f}{}",
        place_name(plan.place), mebibytes(most.bytes(plan.place)), mebibytes(plan.budget),
        memory ? "rows" : "two windows of each lane", mebibytes(memory ? most.data : most.windows),
        mebibytes(most.model), mebibytes(most.workspace),
        memory ? std::string()
               : fmt::format("; scratch file of about {:.0f} MiB", mebibytes(most.data)));
}

}  // namespace smeta::model
