#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/atlas/batch_stream.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/model/train_config.hpp"

namespace smeta::model {

/// What a training will hold, known before it starts.
struct TrainSize {
    std::vector<std::int64_t> shard_rows;  ///< rows of each joint file, in canonical order
    double values_per_row = 0;             ///< stored values of the selected features
    std::int64_t features = 0;             ///< of all modalities
    std::int64_t parameters = 0;           ///< elements of the parameter arena
};

/// Bytes of one rank (docs/memory.md).
struct RankPlan {
    comm::Range lanes;
    std::int64_t rows = 0;
    std::int64_t data = 0;       ///< its rows, in memory or in the scratch file
    std::int64_t windows = 0;    ///< of a scratch file: two windows of each lane
    std::int64_t model = 0;      ///< parameters, gradients of each chunk, optimiser, checkpoint
    std::int64_t workspace = 0;  ///< a step's rows and activations, reading, the program

    std::int64_t bytes(atlas::RowPlace place) const {
        return (place == atlas::RowPlace::Memory ? data : windows) + model + workspace;
    }
};

struct TrainPlan {
    std::int64_t rows = 0;
    std::int64_t steps = 0;  ///< a epoch
    std::int64_t checkpoint_bytes = 0;
    std::int64_t budget = 0;  ///< bytes that a rank may use
    atlas::RowPlace place = atlas::RowPlace::Memory;
    std::vector<RankPlan> ranks;
};

/// Lanes, rows and memory of every rank. Rows lie in memory when they fit `budget` bytes on every
/// rank, else all ranks stream them. Throws ConfigError when it cannot work: more ranks than lanes,
/// lanes that do not fit the batch, or a rank above the budget even so. Local, pure.
TrainPlan plan_training(const TrainConfig& config, std::uint64_t seed, const TrainSize& size,
                        int ranks, int threads, std::int64_t budget);

/// As a table for people.
std::string to_text(const TrainPlan& plan);
/// One line for the log: the rank that needs most.
std::string summary(const TrainPlan& plan);

}  // namespace smeta::model
