#pragma once

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/timing.hpp"

namespace smeta::model {

enum class Reconstruction { Skip, Write };

/// Applies a run's model to all its rows (spec A9) and writes results/SAMPLE.h5ad: obs of the joint
/// files with contribution_<mod>, obsm X_smeta (q_mu), X_smeta_sd, X_smeta_<mod> (mean from that
/// modality alone) and spatial; with Reconstruction::Write also reconstruction/SAMPLE.h5ad: X =
/// mean of every selected feature decoded from q_mu, modality after modality. Rows are computed in
/// fixed blocks of 256 of a joint file, so every bit depends on model and rows alone. Blocks are
/// shared out over ranks; one rank writes a sample.
///
/// Files that carry the checksum of this model and these inputs stand, with the columns that other
/// commands added to them. Returns the number of samples of which something was written.
/// Collective; errors are thrown on every rank.
std::int64_t embed(const comm::Comm& comm, const atlas::Run& run, Reconstruction reconstruction,
                   core::Timings& timings);

/// Throws ConfigError, with `smeta embed` as the hint, unless every sample has results of the run's
/// present model and inputs: after more training the old ones are still there. Collective.
void require_results(const comm::Comm& comm, const atlas::Run& run);

}  // namespace smeta::model
