#include "smeta/core/timing.hpp"

namespace smeta::core {

void Timings::add(std::string_view region, double seconds) {
    const auto at = seconds_.find(region);
    if (at == seconds_.end())
        seconds_.emplace(region, seconds);
    else
        at->second += seconds;
}

}  // namespace smeta::core
