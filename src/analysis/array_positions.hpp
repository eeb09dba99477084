#pragma once

#include <optional>
#include <string>
#include <vector>

#include "smeta/io/annotated.hpp"
#include "smeta/spatial/graph.hpp"

namespace smeta::analysis::detail {

/// obs array_row and array_col, row after row; empty where one is missing. FormatError naming
/// `file`.
std::vector<double> array_columns(const io::Frame& obs, const std::string& file);

/// The positions where they are there and whole numbers.
std::optional<spatial::ArrayPositions> array_positions(const std::vector<double>& columns);

}  // namespace smeta::analysis::detail
