#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

namespace smeta::atlas {

/// A metabolite of one image: centre of its m/z bin and "pos", "neg" or "".
struct MassBin {
    std::string polarity;
    double mz = 0;
    auto operator<=>(const MassBin&) const = default;
};
using MassNames = std::map<MassBin, std::string>;

/// One name for one metabolite over samples. `samples`: the bins of each sample; `known`: names
/// that the atlas has. A bin takes the known name of its polarity whose m/z is nearest, if within
/// `ppm`; the bins of all samples that found none are grouped by m/z (a group spans at most 2 ppm,
/// one bin a sample) and named after the group's mean. Two bins of a sample never share a name.
/// Samples come in canonical order. Local.
std::vector<MassNames> common_names(const std::vector<std::vector<MassBin>>& samples,
                                    const std::set<std::string>& known, double ppm);

}  // namespace smeta::atlas
