#pragma once

#include "smeta/align/align_config.hpp"
#include "smeta/spatial/knn.hpp"

#include "points.hpp"

namespace smeta::align::detail {

/// The point term of spec A4.3 (SpatialMETA, equation 7) between moving outline points and the
/// fixed ones q: sum_i |p_i - q_nn(i)| / n + sum_j |q_j - p_nn(j)| / m, nearest by the Euclidean
/// distance, |.| by the norm. Several threads may use one at once.
class PointTerm {
  public:
    PointTerm(Points fixed, PointNorm norm);
    /// Sets the gradient by `moved` (at least one), nearest points held fixed: exact but where the
    /// nearest changes. Infinite where a coordinate is not finite. With `rounding` r above 0 a
    /// length d is sqrt(d^2 + r^2) - r, which has no kink where points meet.
    double value(const Points& moved, double rounding, Points& gradient) const;

  private:
    Points fixed_;
    PointNorm norm_;
    spatial::PointIndex index_;
};

}  // namespace smeta::align::detail
