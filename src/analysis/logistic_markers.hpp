#pragma once

#include <vector>

#include "smeta/analysis/groups.hpp"
#include "smeta/analysis/markers.hpp"
#include "smeta/analysis/run_values.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis::detail {

/// Gives `markers` (on the root) the coefficients of logistic regressions of the groups, one a
/// modality and scope, as scores, and no p-values; drops those of features that not all samples of
/// the scope measured, which the regression leaves out. Collective.
void score_by_regression(const comm::Comm& comm, const RunValues& values, const Groups& groups,
                         const MarkerOptions& options, std::vector<Marker>& markers);

}  // namespace smeta::analysis::detail
