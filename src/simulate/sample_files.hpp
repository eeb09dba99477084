#pragma once

#include <filesystem>
#include <string>

#include "section.hpp"

namespace smeta::simulate {

/// "\"S1/msi/pos.imzML\", \"S1/msi/neg.imzML\"": the images of a sample relative to the study's
/// folder, for study.toml. A study of one metabolite has no negative image.
std::string imzml_paths(const StudyOptions& options, const std::string& sample);

/// SAMPLE/visium and SAMPLE/msi.
void write_sample_files(const std::filesystem::path& folder, const StudyOptions& options,
                        const SampleSpec& sample, const SectionModel& section,
                        const Catalogue& catalogue);

}  // namespace smeta::simulate
