#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/analysis/run_values.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis::detail {

/// Log-normalised values of some features (ascending) in the rows whose code is not -1 (`codes`:
/// one a row of `values`): features by such rows, on every rank. Collective.
core::MatrixF gather_features(const comm::Comm& comm, const RunValues& values,
                              const std::vector<std::int32_t>& features,
                              std::span<const std::int32_t> codes);

}  // namespace smeta::analysis::detail
