#pragma once

#include <string>

#include "smeta/core/config.hpp"
#include "smeta/io/source.hpp"

namespace smeta::atlas {

/// Configuration `ingest.*`.
struct IngestConfig {
    io::SourceOptions source;
    std::string sample_key = "sample";
    std::string cohort_key = "cohort";
};

void bind(core::ConfigTable& table, IngestConfig& config);

}  // namespace smeta::atlas
