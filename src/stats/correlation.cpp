#include "smeta/stats/correlation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <boost/math/distributions/students_t.hpp>

namespace smeta::stats {

double pearson_p_value(double r, std::int64_t n) {
    if (std::isnan(r) || n < 3) return std::numeric_limits<double>::quiet_NaN();
    const double left = (1 - r) * (1 + r);
    if (!(left > 0)) return 0.0;
    const auto freedom = static_cast<double>(n - 2);
    const double t = std::abs(r) * std::sqrt(freedom / left);
    return 2 * cdf(complement(boost::math::students_t(freedom), t));
}

std::vector<double> midranks(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
    std::vector<double> ranks(values.size());
    for (std::size_t first = 0; first < order.size();) {
        std::size_t last = first;
        while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
        for (std::size_t i = first; i < last; ++i)
            ranks[order[i]] = static_cast<double>(first + last + 1) / 2;
        first = last;
    }
    return ranks;
}

}  // namespace smeta::stats
