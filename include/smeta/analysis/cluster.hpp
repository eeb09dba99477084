#pragma once

#include <cstdint>

#include "smeta/analysis/cluster_config.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

enum class StageResult { Done, Current };

/// Writes runs/R/neighbors.h5, an AnnData over all spots of the run in canonical order (obs:
/// sample, spot; names made unique as by export) with obsp["distances"] (exact Euclidean neighbours
/// in X_smeta), obsp["connectivities"] (UMAP weights) and uns["neighbors"], as scanpy reads them.
/// Left alone when it was made from the same latent with the same setting. The same bytes on any
/// number of ranks. Collective.
StageResult run_neighbors(const comm::Comm& comm, const atlas::Run& run,
                          const ClusterConfig& config);

/// Leiden clusters of neighbors.h5 (made first when absent or out of date) as the categorical obs
/// column "cluster" of every results/SAMPLE.h5ad: "0" is the largest over the run, and every sample
/// lists all categories. Left alone when the results carry clusters made from the same graph with
/// the same settings. Collective.
StageResult run_cluster(const comm::Comm& comm, const atlas::Run& run, const ClusterConfig& config,
                        std::uint64_t seed);

}  // namespace smeta::analysis
