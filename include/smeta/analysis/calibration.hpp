#pragma once

#include <map>
#include <string>
#include <vector>

namespace smeta::analysis {

/// Measures of how strange a spot is, larger is stranger, by name; NaN where a spot has none.
using Strangeness = std::map<std::string, double>;

/// Tells spots that are stranger than all but a stated share of reference spots, by several
/// measures at once (a conformal test): of spots that are drawn as the reference was, that share is
/// flagged, however many measures there are and however they hang together. Pure values, local.
class Calibration {
  public:
    /// `reference`: of each measure one value a reference spot, all of the same length. `share`:
    /// between 0 and 1; nothing is ever flagged with fewer than 1 / share - 1 reference spots.
    Calibration(const std::map<std::string, std::vector<double>>& reference, double share);

    struct Verdict {
        double p = 1;  ///< share of the reference spots that are as strange, by their worst measure
        std::vector<std::string> reasons;  ///< measures that flag the spot; empty: it is not
    };
    Verdict judge(const Strangeness& spot) const;

    std::size_t reference_spots() const { return least_.size(); }

  private:
    double worst_of(double p) const;
    std::map<std::string, std::vector<double>> ascending_;
    std::vector<double> least_;  ///< of each reference spot its smallest share, ascending
    double share_;
};

}  // namespace smeta::analysis
