#pragma once

#include "smeta/comm/comm.hpp"

#include "command.hpp"

namespace smeta::drivers {

/// Sends log messages and progress of rank 0 to stderr: a bar when it is a terminal, otherwise a
/// line every 10 s. Every rank keeps its warnings.
void install_terminal(const comm::Comm& comm, const CommonOptions& options);

/// Prints on rank 0, once each, the warnings of the other ranks that rank 0 did not have. What a
/// user is told must not depend on which rank met it. Collective.
void print_warnings_of_others(const comm::Comm& comm);

}  // namespace smeta::drivers
