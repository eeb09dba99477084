#pragma once

#include <cstdint>
#include <string>

#include "smeta/analysis/cluster_config.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

struct SubclusterRequest {
    std::string within;                 ///< the cluster that is divided
    std::string column = "subcluster";  ///< obs column that the labels go to
    std::uint64_t seed = 1;
};

/// Leiden on the part of the neighbour graph (made first when absent or out of date) whose spots
/// are of one cluster: its spots get the labels "WITHIN,0" (the largest), "WITHIN,1" ..., all
/// others keep their cluster's (scanpy's leiden with restrict_to). Stored as a categorical obs
/// column of every result; the number of subclusters. ConfigError where there is no such cluster,
/// or the column is there and holds something else. Collective.
std::int32_t run_subcluster(const comm::Comm& comm, const atlas::Run& run,
                            const ClusterConfig& config, const SubclusterRequest& request);

}  // namespace smeta::analysis
