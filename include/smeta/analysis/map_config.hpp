#pragma once

#include <cstdint>

#include "smeta/core/config.hpp"

namespace smeta::analysis {

/// How query spots are judged and labelled.
struct MapConfig {
    std::int64_t neighbors = 15;
    double flagged_share = 0.01;
    std::int64_t reference_spots = 5000;
};

/// Adds the keys map.*.
void bind(core::ConfigTable& table, MapConfig& config);

}  // namespace smeta::analysis
