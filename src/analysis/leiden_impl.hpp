#pragma once

#include <cstdint>
#include <vector>

#include "smeta/analysis/leiden.hpp"

namespace smeta::analysis::detail {

/// Community of every node as the algorithm numbers them. In a library of its own (igraph is GPL).
std::vector<std::int64_t> leiden_membership(const core::CsrView& weights,
                                            const LeidenOptions& options);

}  // namespace smeta::analysis::detail
