#pragma once

namespace smeta::core {

/// Number of OpenMP threads that smeta's loops use on this rank (set once by the executable from
/// --threads).
void set_threads(int threads);
int threads();
/// Processors that this process may run on (its affinity mask).
int allowed_processors();

}  // namespace smeta::core
