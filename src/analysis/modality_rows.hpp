#pragma once

#include <cstdint>

#include "smeta/analysis/run_values.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis::detail {

/// Features [first, last) of a modality.
struct FeatureRange {
    std::int32_t first = 0;
    std::int32_t last = 0;
};
FeatureRange features_of(const ValueFeatures& features, std::int32_t modality);

/// This rank's even share of the rows: log-normalised values of a modality's features, in memory.
/// Collective.
core::CountsCsr own_modality_rows(const comm::Comm& comm, const RunValues& values,
                                  std::int32_t modality);

}  // namespace smeta::analysis::detail
