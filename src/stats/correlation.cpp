#include "smeta/stats/correlation.hpp"

#include <cmath>
#include <limits>

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

}  // namespace smeta::stats
