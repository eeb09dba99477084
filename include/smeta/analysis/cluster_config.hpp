#pragma once

#include <cstdint>
#include <optional>

#include "smeta/core/config.hpp"

namespace smeta::analysis {

/// Section [cluster]: the neighbour graph of the latent and the clusters on it.
struct ClusterConfig {
    std::optional<std::int64_t> neighbors;  ///< unset: 15 for one sample, 20 for several
    double recall = 1;  ///< share of the exact neighbours that are to be found, above 0
    double resolution = 1;
    int iterations = 10;

    std::int32_t neighbors_for(std::size_t samples) const {
        return static_cast<std::int32_t>(neighbors.value_or(samples > 1 ? 20 : 15));
    }
};

void bind(core::ConfigTable& table, ClusterConfig& config);

}  // namespace smeta::analysis
