#pragma once

#include <source_location>

#include <mpi.h>

namespace smeta::comm {

/// Throws core::MpiError with MPI's own text unless `code` is MPI_SUCCESS.
void checked(int code, std::source_location where = std::source_location::current());

/// The MPI_Comm behind Comm::native().
inline MPI_Comm mpi_handle(const void* native) {
    return *static_cast<const MPI_Comm*>(native);
}

}  // namespace smeta::comm
