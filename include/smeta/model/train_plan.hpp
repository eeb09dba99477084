#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/model/train_config.hpp"

namespace smeta::model {

/// What a training will hold, known before it starts.
struct TrainSize {
    std::vector<std::int64_t> shard_rows;  ///< rows of each joint file, in canonical order
    double values_per_row = 0;             ///< stored values of the selected features
    std::int64_t parameters = 0;           ///< elements of the parameter arena
};

struct RankPlan {
    comm::Range lanes;
    std::int64_t rows = 0;
    std::int64_t bytes =
        0;  ///< rows in memory, model, gradients of each chunk, optimiser, early stopping
};

struct TrainPlan {
    std::int64_t rows = 0;
    std::int64_t steps = 0;  ///< a epoch
    std::int64_t checkpoint_bytes = 0;
    std::vector<RankPlan> ranks;
};

/// Lanes, rows and memory of every rank. Throws ConfigError when it cannot work: more ranks than
/// lanes, lanes that do not fit the batch, or a rank above `memory` bytes. Local, pure.
TrainPlan plan_training(const TrainConfig& config, std::uint64_t seed, const TrainSize& size,
                        int ranks, int threads, std::optional<std::int64_t> memory);

/// As a table for people.
std::string to_text(const TrainPlan& plan);

}  // namespace smeta::model
