#include "smeta/analysis/map_config.hpp"

namespace smeta::analysis {

void bind(core::ConfigTable& table, MapConfig& config) {
    table
        .add("map.neighbors", config.neighbors,
             "training spots that label a query spot, and the one of them whose distance tells "
             "whether the spot is out of the training distribution",
             {.min = 1, .max = 1e6})
        .add("map.flagged_share", config.flagged_share,
             "share of spots like the reference that is flagged as out of distribution",
             {.min = 1e-6, .max = 0.5})
        .add("map.reference_spots", config.reference_spots,
             "spots of the run, about, that are the reference: those that train.validation kept "
             "from training, if there are enough",
             {.min = 100, .max = 1e9});
}

}  // namespace smeta::analysis
