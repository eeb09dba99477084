#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/io/annotated.hpp"

namespace smeta::io {

/// Label of spots that a label table does not name.
inline constexpr const char* kUndetermined = "undetermined";

/// Reads a table of labels (tab or comma separated, plain or gzip) and gives one label a row of
/// `obs`, kUndetermined where it has none. With a column `spot` rows are joined by name, otherwise
/// columns `x` and `y`, rounded to the nearest integer, by (array_col, array_row) of obs. The label
/// is the column `label`, or the only other column beside the keys and pixel_x, pixel_y. `matched`
/// gets the number of labelled rows. Throws IoError; FormatError when keys or labels are missing or
/// a key has two different labels. Local.
std::vector<std::string> read_labels(const std::string& path, const Frame& obs,
                                     std::int64_t& matched);

}  // namespace smeta::io
