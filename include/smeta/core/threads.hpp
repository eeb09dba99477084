#pragma once

#include <cstdint>
#include <vector>

namespace smeta::core {

/// Number of OpenMP threads that smeta's loops use on this rank (set once by the executable from
/// --threads).
void set_threads(int threads);
int threads();
/// Numbers of the processors that this process may run on (its affinity mask), ascending.
std::vector<std::int32_t> allowed_processors();

}  // namespace smeta::core
