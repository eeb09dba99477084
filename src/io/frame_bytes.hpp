#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "smeta/io/annotated.hpp"

namespace smeta::io::detail {

/// A frame as bytes for a message between ranks of one program, and back.
std::vector<std::byte> to_bytes(const Frame& frame);
Frame frame_from_bytes(std::span<const std::byte> bytes);

/// Appends the rows of `part`; columns, their types and categories must agree (InvariantError).
void append_rows(Frame& frame, const Frame& part);

}  // namespace smeta::io::detail
