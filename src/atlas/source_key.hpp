#pragma once

#include <string>

#include "smeta/atlas/ingest_config.hpp"
#include "smeta/atlas/study.hpp"

namespace smeta::atlas {

/// Key of a source: of the bytes of its files (an imzML with its .ibd, a folder with what readers
/// use of it, a table with the positions beside it, the labels), its description and the
/// configuration. IoError where a path does not exist. Local.
std::string source_key(const SampleSource& source, const IngestConfig& config);

}  // namespace smeta::atlas
