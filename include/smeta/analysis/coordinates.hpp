#pragma once

#include <string>

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::analysis {

/// x and y of all spots of a run (obsm["spatial"] of its results), in the order of RunLatent:
/// samples bytewise, then row. Samples are read by the ranks in turn, every rank gets all.
/// Collective; FormatError when absent.
core::MatrixD read_coordinates(const comm::Comm& comm, const atlas::Run& run);

/// x and y of the spots of one sample's results; FormatError naming `file` when absent. Local.
core::MatrixD positions_in(const io::AnnData& result, const std::string& file);

}  // namespace smeta::analysis
