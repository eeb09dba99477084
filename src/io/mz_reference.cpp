#include "smeta/io/mz_reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::io {

namespace {

constexpr std::size_t kPending = std::size_t{1} << 20;
/// Bins that grow too wide are cut at kGridStart (1 + max_bin_ppm 1e-6)^k: at places that depend on
/// no data, so that the cuts of all images agree.
constexpr double kGridStart = 50;

}  // namespace

std::int32_t MzBins::find(double mz, std::int32_t hint) const {
    for (std::int32_t b = std::max(hint, 0); b < std::min(hint + 2, size()); ++b)
        if (contains(b, mz)) return b;
    auto b = static_cast<std::int32_t>(std::upper_bound(center.begin(), center.end(), mz) -
                                       center.begin());
    if (b < size() && contains(b, mz)) return b;
    return b > 0 && contains(b - 1, mz) ? b - 1 : -1;
}

MzCollector::MzCollector(double ppm, std::optional<double> max_bin_ppm)
    : ppm_(ppm), max_bin_ppm_(max_bin_ppm) {
    if (!(ppm > 0))
        throw core::ConfigError(fmt::format("the m/z tolerance must be above 0 ppm, not {}", ppm));
    if (max_bin_ppm && !(*max_bin_ppm >= 2 * ppm))
        throw core::ConfigError(
            fmt::format("the widest m/z bin ({} ppm) must be at least twice the tolerance ({} ppm)",
                        *max_bin_ppm, ppm));
}

void MzCollector::add(std::span<const double> mz) {
    pending_.insert(pending_.end(), mz.begin(), mz.end());
    if (pending_.size() >= kPending) compact();
}

void MzCollector::add(const MzBins& bins) {
    compact();
    const auto known = static_cast<std::ptrdiff_t>(intervals_.size());
    for (std::int32_t b = 0; b < bins.size(); ++b)
        intervals_.push_back(
            {bins.center[b] - bins.half_width[b], bins.center[b] + bins.half_width[b]});
    std::sort(intervals_.begin() + known, intervals_.end());
    unite(known);
}

void MzCollector::compact() {
    std::sort(pending_.begin(), pending_.end());
    pending_.erase(std::unique(pending_.begin(), pending_.end()), pending_.end());
    const auto known = static_cast<std::ptrdiff_t>(intervals_.size());
    for (const double u : pending_) intervals_.push_back({u - u * ppm_ / 1e6, u + u * ppm_ / 1e6});
    pending_.clear();
    unite(known);
}

void MzCollector::unite(std::ptrdiff_t known) {
    std::inplace_merge(intervals_.begin(), intervals_.begin() + known, intervals_.end());
    std::size_t last = 0;
    for (std::size_t i = 1; i < intervals_.size(); ++i) {
        const Interval next = intervals_[i];
        Interval& current = intervals_[last];
        if (next.lower <= current.upper)
            current.upper = std::max(current.upper, next.upper);
        else
            intervals_[++last] = next;
    }
    if (!intervals_.empty()) intervals_.resize(last + 1);
}

MzBins MzCollector::finish() {
    compact();
    MzBins bins;
    const auto emit = [&](double lower, double upper) {
        bins.center.push_back((lower + upper) / 2);
        bins.half_width.push_back((upper - lower) / 2);
    };
    for (const Interval& interval : intervals_) {
        double lower = interval.lower;
        const double width_ppm = 2e6 * (interval.upper - lower) / (interval.upper + lower);
        if (max_bin_ppm_ && width_ppm > *max_bin_ppm_) {
            const double step = std::log1p(*max_bin_ppm_ * 1e-6);
            for (double k = std::floor(std::log(lower / kGridStart) / step);; ++k) {
                const double cut = kGridStart * std::exp(k * step);
                if (cut >= interval.upper) break;
                if (cut <= lower) continue;
                emit(lower, cut);
                lower = cut;
            }
        }
        emit(lower, interval.upper);
    }
    intervals_.clear();
    core::check(bins.center.size() <= std::numeric_limits<std::int32_t>::max(),
                "the number of m/z bins fits a column index");
    return bins;
}

}  // namespace smeta::io
