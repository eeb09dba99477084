#include "smeta/atlas/ingest_config.hpp"

namespace smeta::atlas {

void bind(core::ConfigTable& table, IngestConfig& config) {
    table.add("ingest.sample_key", config.sample_key,
              "obs column of a joint file that names the sample");
    table.add("ingest.cohort_key", config.cohort_key,
              "obs column of a joint file that names the cohort");
    io::add_source_keys(table, config.source);
}

}  // namespace smeta::atlas
