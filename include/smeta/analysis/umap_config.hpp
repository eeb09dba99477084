#pragma once

#include <cstdint>
#include <optional>

#include "smeta/core/config.hpp"

namespace smeta::analysis {

/// Section [umap].
struct UmapConfig {
    double min_dist = 0.5;
    double spread = 1;
    std::optional<std::int64_t> epochs;  ///< unset: 500 up to 10,000 spots, else 200
    std::int64_t negative_samples = 5;

    std::int64_t epochs_for(std::int64_t rows) const {
        return epochs.value_or(rows <= 10000 ? 500 : 200);
    }
};

void bind(core::ConfigTable& table, UmapConfig& config);

}  // namespace smeta::analysis
