#pragma once

#include <cstdint>

#include "smeta/core/config.hpp"

namespace smeta::report {

/// Section [report].
struct ReportConfig {
    std::int64_t mixing_spots = 10000;  ///< spots on which batch mixing is scored
    std::int64_t features = 3;          ///< features of a modality in the reconstruction figures
};

void bind(core::ConfigTable& table, ReportConfig& config);

}  // namespace smeta::report
