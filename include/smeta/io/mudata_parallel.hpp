#pragma once

#include <string>

#include "smeta/comm/comm.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::io {

/// Writes one .h5mu whose rows several ranks hold: consecutive rows in rank order, each rank its
/// own part (maybe none). Every dataset is equal, byte for byte, to what write_h5mu writes for all
/// rows.
///
/// `mine`: every modality with the same observations as `mine.obs`; var, the kind of X (dense or
/// CSR), the columns of obs and their categories agree on all ranks; uns is taken from rank 0;
/// layers and obsp are not written. Strings go through rank 0 and a serial writer, X through MPI-IO
/// (design: parallel HDF5 1.10.8 writes no variable-length strings). A communicator of one rank
/// uses the serial writer alone. Collective. Throws what write_h5mu throws, on every rank, and as
/// H5File::together.
void write_h5mu(const comm::Comm& comm, const std::string& path, const MuData& mine);

}  // namespace smeta::io
