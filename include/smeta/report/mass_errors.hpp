#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace smeta::report {

/// Candidates of one adduct, as a bar.
struct AdductBar {
    std::string name;
    std::int64_t features = 0;  ///< m/z with a candidate
    double fdr = 0;
};

/// What annotation found: where the errors of candidates and decoys lie, and what each adduct
/// brought.
struct MassErrors {
    std::string id;
    std::string title;
    double ppm = 5;                  ///< reach of the histogram on both sides
    std::vector<double> candidates;  ///< errors, ppm
    std::vector<double> decoys;      ///< errors of all draws
    double draws = 1;
    std::vector<AdductBar> adducts;
};

/// The figure as a whole SVG file.
std::string mass_errors_svg(const MassErrors& data);

}  // namespace smeta::report
