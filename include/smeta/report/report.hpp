#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "smeta/report/report_data.hpp"

namespace smeta::report {

/// The record of a run as JSON: inputs with checksums, versions, ranks, threads, timings over
/// ranks, configuration, rows read and kept, features, clusters, batch mixing. Numbers that do not
/// exist are null. Local.
std::string report_json(const ReportData& data);

/// Writes report.json, report.html (self-contained: no link leads out of it except to figures/
/// beside it), figures/*.svg and tables/*.tsv below `folder`, each file under a temporary name
/// first. Throws IoError. Local.
void write_report(const ReportData& data, const std::filesystem::path& folder);

}  // namespace smeta::report
