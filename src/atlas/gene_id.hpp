#pragma once

#include <string>
#include <vector>

#include "smeta/io/annotated.hpp"

namespace smeta::atlas::detail {

/// Column gene_id of var without version suffixes; empty where there is none.
std::vector<std::string> gene_ids(const io::Frame& var);

}  // namespace smeta::atlas::detail
