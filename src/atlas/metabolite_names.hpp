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

/// One name for one metabolite over the samples of a study. `samples`: the bins of each sample;
/// `committed`: bins with their names of samples that the atlas has and that belong with these. All
/// are grouped by m/z and polarity (a group spans at most twice `ppm`, one bin a sample). A group
/// is named as most of its committed bins are, else after its mean: samples that come one by one,
/// each with all others as `samples` or `committed`, get the names of a single call. Two bins of a
/// sample never share a name. Samples come in canonical order. Local.
std::vector<MassNames> common_names(const std::vector<std::vector<MassBin>>& samples, double ppm,
                                    const std::vector<MassNames>& committed = {});

}  // namespace smeta::atlas
