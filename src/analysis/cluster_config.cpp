#include "smeta/analysis/cluster_config.hpp"

namespace smeta::analysis {

void bind(core::ConfigTable& table, ClusterConfig& config) {
    table
        .add(
            "cluster.neighbors", config.neighbors,
            "neighbours of a spot in the latent, itself included (unset: 15 for one sample, 20 for "
            "several)",
            {.min = 2, .max = 1e6})
        .add("cluster.recall", config.recall,
             "share of a spot's exact neighbours to be found at least: 1 finds all of them, less "
             "looks at the nearest parts of the latent only",
             {.min = 0.01, .max = 1})
        .add("cluster.resolution", config.resolution,
             "resolution of the Leiden modularity: larger gives more clusters", {.min = 0})
        .add("cluster.iterations", config.iterations,
             "Leiden iterations at most; ends earlier once nothing changes",
             {.min = 1, .max = 1e6});
}

}  // namespace smeta::analysis
