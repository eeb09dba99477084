#pragma once

#include <string>

#include "smeta/analysis/latent.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// obsm[`key`] of a .h5ad for the spots of a run, in the run's order, on every rank. Rows are found
/// by obs columns `sample` and `spot` where the file has both (as smeta's exports do), else by the
/// obs index, which holds RunLatent::unique_names. Rows that the run has not are left out.
/// Collective; FormatError when the key is absent, a spot of the run is missing or a value is not
/// finite.
core::MatrixD read_embedding(const comm::Comm& comm, const std::string& file,
                             const std::string& key, const RunLatent& run);

}  // namespace smeta::analysis
