#pragma once

#include "smeta/comm/comm.hpp"

#include "command.hpp"

namespace smeta::drivers {

/// Sends log messages and progress of rank 0 to stderr: a bar when it is a terminal, otherwise a
/// line every 10 s.
void install_terminal(const comm::Comm& comm, const CommonOptions& options);

}  // namespace smeta::drivers
