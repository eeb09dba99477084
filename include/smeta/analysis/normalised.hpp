#pragma once

#include <cstdint>

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/stats/pca.hpp"

namespace smeta::analysis {

/// Rows [first, last) of one modality of a sample, the given features only (zeros where the sample
/// has not measured one), each row scaled to a sum of 10,000 and log(1 + x); values below 0 count
/// as 0, a row without anything stays 0. Local; main thread only.
core::CountsCsr normalised_rows(const atlas::JointReader& sample,
                                const atlas::ModalityFeatures& features, std::int64_t first,
                                std::int64_t last);

/// Principal components of a run's spots before any integration: the run's features of every
/// modality side by side, normalised_rows, each modality centred and scaled to a total variance of
/// 1 (so that no modality outweighs the others); a modality that a sample lacks is taken at its
/// mean. Rows in canonical order, on every rank. The same numbers on any number of ranks. Memory: a
/// rank's share of the values and what stats::principal_components says. Collective.
stats::PrincipalComponents run_components(const comm::Comm& comm, const atlas::Run& run,
                                          std::int32_t count, std::uint64_t seed);

}  // namespace smeta::analysis
