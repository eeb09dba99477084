#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// The latent of all spots of a run in canonical order: samples bytewise, then row.
struct RunLatent {
    std::vector<std::string> samples;
    std::vector<std::int64_t> first_row;  ///< of each sample; one more entry, the number of rows
    std::vector<std::string> spots;       ///< names as in the results
    core::MatrixD latent;                 ///< rows x latent dimensions
    std::string checksum;                 ///< of samples, names and values: 32 hex digits

    std::int64_t rows() const { return first_row.back(); }
    /// Sample of every row, 0 ... samples - 1.
    std::vector<std::int32_t> sample_of_row() const;
    /// Spot names where they are unique over the run, else all with "-SAMPLE" appended.
    std::vector<std::string> unique_names() const;
};

/// Reads obsm["X_smeta"] of results/SAMPLE.h5ad of every sample, samples dealt over ranks; every
/// rank gets all. Collective; throws what Run::read_result throws and FormatError where the latent
/// is missing or of another width.
RunLatent read_latent(const comm::Comm& comm, const atlas::Run& run);

}  // namespace smeta::analysis
