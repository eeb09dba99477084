#include "smeta/analysis/umap_config.hpp"

namespace smeta::analysis {

void bind(core::ConfigTable& table, UmapConfig& config) {
    table
        .add("umap.min_dist", config.min_dist,
             "how close spots may lie in the layout: smaller packs clusters tighter",
             {.min = 0, .max = 1e3})
        .add("umap.spread", config.spread, "scale of the layout, at least min_dist",
             {.min = 1e-3, .max = 1e3})
        .add("umap.epochs", config.epochs,
             "passes over the graph (unset: 500 up to 10,000 spots, else 200)",
             {.min = 1, .max = 1e6})
        .add("umap.negative_samples", config.negative_samples,
             "random spots that push for each neighbour that pulls", {.min = 0, .max = 100});
}

}  // namespace smeta::analysis
