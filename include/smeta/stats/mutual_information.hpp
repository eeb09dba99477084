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

  private:
    std::vector<std::vector<std::int64_t>> members_;  ///< of each label with two points or more
    std::vector<double> digamma_;                     ///< of 0 (unused), 1, 2, ... points + 1
    std::int64_t points_ = 0;
    double constant_ = 0;  ///< the terms that the values do not change
};

}  // namespace smeta::stats
