#pragma once

#include <filesystem>

#include "smeta/align/stack.hpp"

namespace smeta::align::detail {

/// The alignment's file (alignment.hpp) with uns/smeta/stack = {block, z, level, neighbour,
/// microns_per_unit, outline} beside it.
void write_stack_step(const std::filesystem::path& path, const StackStep& step);
/// FormatError when the file holds something else.
StackStep read_stack_step(const std::filesystem::path& path);

}  // namespace smeta::align::detail
