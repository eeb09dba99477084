#pragma once

#include <cstdint>

namespace smeta::bench {

/// Calls of malloc and its relatives in this process so far (glibc; programs that link
/// allocation_count.cpp).
std::int64_t allocations();

}  // namespace smeta::bench
