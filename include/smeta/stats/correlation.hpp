#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace smeta::stats {

/// Two-sided p-value of Pearson's r over n pairs: t = r sqrt((n - 2) / (1 - r^2)) with n - 2
/// degrees of freedom, as scipy.stats.pearsonr. NaN for a NaN and below three pairs. Local.
double pearson_p_value(double r, std::int64_t n);

/// Ranks 1 ... n, ties sharing the mean of theirs. Pearson's r of two such lists is Spearman's rho.
/// Local.
std::vector<double> midranks(std::span<const double> values);

}  // namespace smeta::stats
