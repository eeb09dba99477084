#pragma once

#include <cstddef>
#include <cstdint>

namespace smeta::core {

/// Largest resident size that this process has had, in bytes (VmHWM of /proc/self/status).
std::int64_t peak_memory();

/// Bytes that processes on this machine may still take: what the kernel calls available, or what is
/// left of the control group's limit where that is less.
std::int64_t available_memory();

/// Asks the kernel for large pages for memory of several MiB that is about to be used the first
/// time (MADV_HUGEPAGE), since many rows of a large matrix are otherwise as many pages. Where it
/// does not give them on request nothing changes. Local.
void prefer_large_pages(void* data, std::size_t bytes);

}  // namespace smeta::core
