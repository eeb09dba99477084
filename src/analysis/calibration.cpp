#include "smeta/analysis/calibration.hpp"

#include <algorithm>
#include <cmath>

#include "smeta/core/error.hpp"

namespace smeta::analysis {

namespace {

/// How many of the ascending values are at least `value`.
double as_large(const std::vector<double>& ascending, double value) {
    return static_cast<double>(ascending.end() -
                               std::lower_bound(ascending.begin(), ascending.end(), value));
}

}  // namespace

Calibration::Calibration(const std::map<std::string, std::vector<double>>& reference, double share)
    : share_(share) {
    std::size_t spots = 0;
    for (const auto& [name, values] : reference) {
        core::check(spots == 0 || values.size() == spots, "a value a reference spot");
        spots = values.size();
        auto& ascending = ascending_[name];
        for (const double value : values)
            if (!std::isnan(value)) ascending.push_back(value);
        std::sort(ascending.begin(), ascending.end());
    }
    least_.assign(spots, 1.0);
    for (const auto& [name, values] : reference) {
        const auto& ascending = ascending_.at(name);
        for (std::size_t i = 0; i < spots; ++i)
            if (!std::isnan(values[i]))
                least_[i] = std::min(least_[i], as_large(ascending, values[i]) /
                                                    static_cast<double>(ascending.size()));
    }
    std::sort(least_.begin(), least_.end());
}

double Calibration::worst_of(double p) const {
    const auto as_small = std::upper_bound(least_.begin(), least_.end(), p) - least_.begin();
    return (1 + static_cast<double>(as_small)) / (1 + static_cast<double>(least_.size()));
}

Calibration::Verdict Calibration::judge(const Strangeness& spot) const {
    Verdict verdict;
    for (const auto& [name, value] : spot) {
        const auto found = ascending_.find(name);
        if (std::isnan(value) || found == ascending_.end() || found->second.empty()) continue;
        const double p = worst_of((1 + as_large(found->second, value)) /
                                  (1 + static_cast<double>(found->second.size())));
        verdict.p = std::min(verdict.p, p);
        if (p <= share_) verdict.reasons.push_back(name);
    }
    return verdict;
}

}  // namespace smeta::analysis
