#pragma once

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// x and y of all spots of a run (obsm["spatial"] of its results), in the order of RunLatent:
/// samples bytewise, then row. Samples are read by the ranks in turn, every rank gets all.
/// Collective; FormatError when absent.
core::MatrixD read_coordinates(const comm::Comm& comm, const atlas::Run& run);

}  // namespace smeta::analysis
