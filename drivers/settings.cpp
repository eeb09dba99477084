#include "settings.hpp"

namespace smeta::drivers {

Settings::Settings() {
    table.add("seed", seed, "seed of every random draw");
    bind(table, ingest);
    bind(table, qc);
    bind(table, align);
    bind(table, stack);
    bind(table, reassign);
    bind(table, select);
    bind(table, model);
    bind(table, loss);
    bind(table, train);
    bind(table, cluster);
    bind(table, umap);
    bind(table, map);
    bind(table, report);
}

}  // namespace smeta::drivers
