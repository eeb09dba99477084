#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smeta::core {

/// Number of OpenMP threads that smeta's loops use on this rank (set once by the executable from
/// --threads).
void set_threads(int threads);
int threads();
/// Numbers of the processors that this process may run on (its affinity mask), ascending.
std::vector<std::int32_t> allowed_processors();
/// The same for all processes on this machine, also in containers or on virtual nodes that share
/// it, and another on every other machine: the kernel's boot id, or the host's name where it is
/// hidden.
std::string machine_id();

}  // namespace smeta::core
