#pragma once

#include <filesystem>
#include <string>

namespace smeta::report {

/// Draws a fitted alignment from its file in stages/align (docs/alignment.md) as an SVG: the
/// outlines of both sections before the fit (SM brought to the middle and size of ST, not turned),
/// in the best pose and after the fit, the spots' image where there is one, then every candidate
/// with its rank, confidence and overlap. False, and no file, for an alignment that was not fitted.
/// Throws IoError and FormatError. Local.
bool write_alignment_figure(const std::filesystem::path& stage_file, const std::string& sample,
                            const std::filesystem::path& out);

}  // namespace smeta::report
