#pragma once

#include <cstdint>

namespace smeta::core {

/// Largest resident size that this process has had, in bytes (VmHWM of /proc/self/status).
std::int64_t peak_memory();

/// Bytes that processes on this machine may still take: what the kernel calls available, or what is
/// left of the control group's limit where that is less.
std::int64_t available_memory();

}  // namespace smeta::core
