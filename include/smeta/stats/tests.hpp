#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace smeta::stats {

/// Count, mean and sum of squared deviations of a set of numbers; sets combine without loss (Chan
/// et al. 1983).
struct Moments {
    double count = 0.0;
    double mean = 0.0;
    double squares = 0.0;  ///< sum of (x - mean)^2

    void add(double value);
    void add(const Moments& other);
    /// Unbiased (divided by count - 1); 0 below two numbers.
    double variance() const;
};

/// Moments of `values` and of `count - values.size()` zeros besides.
Moments moments_with_zeros(std::span<const double> values, std::int64_t count);

struct TestResult {
    double statistic = 0.0;
    double degrees_of_freedom = 0.0;
    double p_value = 1.0;  ///< two-sided
};

/// Welch's t-test of group against rest with unbiased variances, as
/// scipy.stats.ttest_ind_from_stats(equal_var=False); where the statistic is undefined (a group
/// below two values, or no difference and no variance): statistic 0, p 1, as scanpy has it.
TestResult welch_t_test(const Moments& group, const Moments& rest);

/// Benjamini-Hochberg adjusted p-values in the order of the input. A NaN stays NaN and does not
/// count as a test.
std::vector<double> benjamini_hochberg(std::span<const double> p_values);

/// log2 fold change of means of log1p values, as scanpy: log2((expm1(group) + 1e-9) / (expm1(rest)
/// + 1e-9)).
double log2_fold_change(double group_mean, double rest_mean);

/// P(X >= hits) when `drawn` items are taken of `population`, `marked` of which are marked
/// (hypergeom.sf(hits - 1)). Throws InvariantError when marked or drawn exceed the population.
double hypergeometric_tail(std::int64_t hits, std::int64_t population, std::int64_t marked,
                           std::int64_t drawn);

/// P(X >= statistic) of the chi-squared distribution; 1 at 0 or below.
double chi_squared_tail(double statistic, double degrees_of_freedom);

/// Pearson correlation, and cosine of the angle between two vectors of equal length; NaN when
/// undefined (a constant, or a zero vector). Clamped to [-1, 1].
double pearson(std::span<const double> x, std::span<const double> y);
double cosine(std::span<const double> x, std::span<const double> y);

}  // namespace smeta::stats
