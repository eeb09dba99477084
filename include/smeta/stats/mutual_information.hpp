#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace smeta::stats {

/// Mutual information (nats) between a real number and a label by the third-nearest neighbour of
/// the same label (Ross 2014; scikit-learn's mutual_info_classif for one feature without its
/// noise): psi(n) + mean psi(k_i) - mean psi(n_label) - mean psi(m_i + 1), m_i the other points
/// closer than the k_i-th nearest of i's label, k_i = min(3, n_label - 1); points alone with their
/// label take no part; at least 0. Equal numbers must be told apart by the caller (scikit-learn
/// adds noise).
class MutualInformation {
  public:
    /// `labels`: one a point, from 0; -1: takes no part.
    explicit MutualInformation(std::span<const std::int32_t> labels);

    /// `values`: one a point. NaN without points. Local; may be called by many threads at once.
    double estimate(std::span<const double> values) const;
    /// The same, and `terms`: one a point, NaN for one that takes no part. Their mean is the
    /// estimate, but for its being at least 0.
    double estimate(std::span<const double> values, std::vector<double>& terms) const;

  private:
    struct Point {
        double value = 0;
        std::int64_t row = 0;
        double radius = 0;  ///< just below the distance to the k-th nearest of its label
    };
    /// Points that take part, label by label, in order of their values.
    std::vector<Point> reaches(std::span<const double> values) const;

    std::vector<std::vector<std::int64_t>> members_;  ///< of each label with two points or more
    std::vector<double> of_label_;  ///< of each of these: what its size adds to a point's term
    std::vector<double> digamma_;   ///< of 0 (unused), 1, 2, ... points + 1
    std::int64_t points_ = 0;
    double constant_ = 0;  ///< mean of the terms that the values do not change
};

}  // namespace smeta::stats
