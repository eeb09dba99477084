#include "smeta/stats/mutual_information.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "smeta/core/error.hpp"

namespace smeta::stats {
namespace {

constexpr std::int64_t kNeighbors = 3;
constexpr double kEulerGamma = 0.577215664901532860606512090082402431;

/// Just below the distance from each of `sorted` to its k-th nearest other.
void add_radii(const std::vector<double>& sorted, std::int64_t k, std::vector<double>& radii) {
    const auto count = static_cast<std::int64_t>(sorted.size());
    for (std::int64_t i = 0; i < count; ++i) {
        std::int64_t low = i;
        std::int64_t high = i;
        double farthest = 0;
        for (std::int64_t step = 0; step < k; ++step) {
            const double below =
                low > 0 ? sorted[i] - sorted[low - 1] : std::numeric_limits<double>::infinity();
            const double above = high + 1 < count ? sorted[high + 1] - sorted[i]
                                                  : std::numeric_limits<double>::infinity();
            if (below <= above) {
                farthest = below;
                --low;
            } else {
                farthest = above;
                ++high;
            }
        }
        radii.push_back(std::nextafter(farthest, 0.0));
    }
}

/// Points of `sorted` within `radius` of `centre`.
std::int64_t count_within(const std::vector<double>& sorted, double centre, double radius) {
    auto first = std::lower_bound(sorted.begin(), sorted.end(), centre - radius);
    auto last = std::upper_bound(first, sorted.end(), centre + radius);
    // The sums above are rounded; the distances decide.
    while (first != sorted.begin() && centre - *(first - 1) <= radius) --first;
    while (first != last && centre - *first > radius) ++first;
    while (last != sorted.end() && *last - centre <= radius) ++last;
    while (last != first && *(last - 1) - centre > radius) --last;
    return last - first;
}

}  // namespace

MutualInformation::MutualInformation(std::span<const std::int32_t> labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] < 0) continue;
        if (labels[i] >= static_cast<std::int32_t>(members_.size())) members_.resize(labels[i] + 1);
        members_[labels[i]].push_back(static_cast<std::int64_t>(i));
    }
    std::erase_if(members_, [](const auto& rows) { return rows.size() < 2; });
    for (const auto& rows : members_) points_ += static_cast<std::int64_t>(rows.size());
    digamma_.assign(2, -kEulerGamma);
    for (std::int64_t n = 2; n <= points_ + 1; ++n)
        digamma_.push_back(digamma_.back() + 1 / static_cast<double>(n - 1));
    if (points_ == 0) return;
    double sum = 0;
    for (const auto& rows : members_) {
        const auto size = static_cast<std::int64_t>(rows.size());
        const double own = digamma_[std::min(kNeighbors, size - 1)] - digamma_[size];
        sum += static_cast<double>(size) * own;
        of_label_.push_back(digamma_[points_] + own);
    }
    constant_ = digamma_[points_] + sum / static_cast<double>(points_);
}

std::vector<MutualInformation::Point> MutualInformation::reaches(
    std::span<const double> values) const {
    std::vector<Point> result;
    result.reserve(points_);
    std::vector<std::pair<double, std::int64_t>> own;
    std::vector<double> sorted;
    std::vector<double> radii;
    for (const auto& rows : members_) {
        own.clear();
        for (const auto row : rows) own.emplace_back(values[row], row);
        std::sort(own.begin(), own.end());
        sorted.clear();
        radii.clear();
        for (const auto& [value, row] : own) sorted.push_back(value);
        add_radii(sorted,
                  std::min<std::int64_t>(kNeighbors, static_cast<std::int64_t>(own.size()) - 1),
                  radii);
        for (std::size_t i = 0; i < own.size(); ++i)
            result.push_back({own[i].first, own[i].second, radii[i]});
    }
    return result;
}

double MutualInformation::estimate(std::span<const double> values) const {
    std::vector<double> unused;
    return estimate(values, unused);
}

double MutualInformation::estimate(std::span<const double> values,
                                   std::vector<double>& terms) const {
    terms.assign(values.size(), std::numeric_limits<double>::quiet_NaN());
    if (points_ == 0) return std::numeric_limits<double>::quiet_NaN();
    const auto points = reaches(values);
    std::vector<double> sorted;
    sorted.reserve(points.size());
    for (const auto& point : points) sorted.push_back(point.value);
    std::sort(sorted.begin(), sorted.end());
    double sum = 0;
    auto point = points.begin();
    for (std::size_t label = 0; label < members_.size(); ++label)
        for (std::size_t i = 0; i < members_[label].size(); ++i, ++point) {
            const double within = digamma_[count_within(sorted, point->value, point->radius)];
            sum += within;
            terms[point->row] = of_label_[label] - within;
        }
    return std::max(0.0, constant_ - sum / static_cast<double>(points_));
}

}  // namespace smeta::stats
