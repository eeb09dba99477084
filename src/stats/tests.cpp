#include "smeta/stats/tests.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/hypergeometric.hpp>
#include <boost/math/distributions/students_t.hpp>

#include "smeta/core/error.hpp"

namespace smeta::stats {

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

}  // namespace

void Moments::add(double value) {
    count += 1.0;
    const double delta = value - mean;
    mean += delta / count;
    squares += delta * (value - mean);
}

void Moments::add(const Moments& other) {
    if (other.count == 0.0) return;
    const double total = count + other.count;
    const double delta = other.mean - mean;
    squares += other.squares + delta * delta * count * other.count / total;
    mean += delta * other.count / total;
    count = total;
}

double Moments::variance() const {
    return count < 2.0 ? 0.0 : squares / (count - 1.0);
}

Moments moments_with_zeros(std::span<const double> values, std::int64_t count) {
    core::check(static_cast<std::int64_t>(values.size()) <= count, "no more values than counted");
    Moments result;
    if (count == 0) return result;
    result.count = static_cast<double>(count);
    result.mean = std::accumulate(values.begin(), values.end(), 0.0) / result.count;
    result.squares =
        (result.count - static_cast<double>(values.size())) * result.mean * result.mean;
    for (const double value : values)
        result.squares += (value - result.mean) * (value - result.mean);
    return result;
}

TestResult welch_t_test(const Moments& group, const Moments& rest) {
    if (group.count < 2.0 || rest.count < 2.0) return {};
    const double a = group.variance() / group.count;
    const double b = rest.variance() / rest.count;
    const double difference = group.mean - rest.mean;
    if (!(std::abs(difference) > 0.0) || std::isnan(a + b)) return {};
    if (!(a + b > 0.0))
        return {std::copysign(std::numeric_limits<double>::infinity(), difference), 1.0, 0.0};
    TestResult result;
    result.statistic = difference / std::sqrt(a + b);
    result.degrees_of_freedom =
        (a + b) * (a + b) / (a * a / (group.count - 1.0) + b * b / (rest.count - 1.0));
    const boost::math::students_t distribution(result.degrees_of_freedom);
    result.p_value = 2.0 * cdf(complement(distribution, std::abs(result.statistic)));
    return result;
}

std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < p_values.size(); ++i)
        if (!std::isnan(p_values[i])) order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
    std::vector<double> adjusted(p_values.size(), kUndefined);
    const auto tests = static_cast<double>(order.size());
    double smallest = 1.0;
    for (std::size_t rank = order.size(); rank > 0; --rank) {
        const std::size_t i = order[rank - 1];
        smallest = std::min(smallest, p_values[i] * tests / static_cast<double>(rank));
        adjusted[i] = smallest;
    }
    return adjusted;
}

double log2_fold_change(double group_mean, double rest_mean) {
    return std::log2((std::expm1(group_mean) + 1e-9) / (std::expm1(rest_mean) + 1e-9));
}

double chi_squared_tail(double statistic, double degrees_of_freedom) {
    if (!(statistic > 0)) return 1;
    return boost::math::cdf(
        boost::math::complement(boost::math::chi_squared(degrees_of_freedom), statistic));
}

double hypergeometric_tail(std::int64_t hits, std::int64_t population, std::int64_t marked,
                           std::int64_t drawn) {
    core::check(0 <= marked && marked <= population && 0 <= drawn && drawn <= population &&
                    population <= std::numeric_limits<std::int32_t>::max(),
                "marked and drawn items belong to the population");
    if (hits <= std::max<std::int64_t>(0, drawn + marked - population)) return 1.0;
    if (hits > std::min(marked, drawn)) return 0.0;
    const boost::math::hypergeometric distribution(static_cast<unsigned>(marked),
                                                   static_cast<unsigned>(drawn),
                                                   static_cast<unsigned>(population));
    return cdf(complement(distribution, static_cast<unsigned>(hits - 1)));
}

double pearson(std::span<const double> x, std::span<const double> y) {
    core::check(x.size() == y.size(), "vectors of equal length");
    if (x.empty()) return kUndefined;
    const auto n = static_cast<double>(x.size());
    const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
    const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
    double xx = 0.0;
    double yy = 0.0;
    double xy = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    const auto constant = [](std::span<const double> v) {
        return std::adjacent_find(v.begin(), v.end(), std::not_equal_to<>()) == v.end();
    };
    if (constant(x) || constant(y)) return kUndefined;
    return std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0);
}

double cosine(std::span<const double> x, std::span<const double> y) {
    core::check(x.size() == y.size(), "vectors of equal length");
    double xx = 0.0;
    double yy = 0.0;
    double xy = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        xx += x[i] * x[i];
        yy += y[i] * y[i];
        xy += x[i] * y[i];
    }
    if (xx == 0.0 || yy == 0.0) return kUndefined;
    return std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0);
}

}  // namespace smeta::stats
