#pragma once

#include <string>
#include <vector>

#include "smeta/report/network_figures.hpp"

namespace smeta::report {

/// One circle of groups; strength.at(a, b): what a sends to b, not negative.
struct SignalCircle {
    std::string title;
    ClusterMatrix strength;
};

/// Groups on a circle with arrows from senders to receivers, in the sender's colour, the wider the
/// stronger, from a fifth of the strongest on; loops are signals inside a group. `unit` says what
/// the widths count. A whole SVG file. Local.
std::string communication_svg(const std::string& id, const std::string& title,
                              const std::vector<SignalCircle>& circles, const std::string& unit);

}  // namespace smeta::report
