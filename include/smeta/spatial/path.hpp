#pragma once

#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::spatial {

/// Where a point lies beside a polyline.
struct PathPlace {
    double along = 0;     ///< length of the line up to the nearest of its points
    double distance = 0;  ///< to that point
    bool beyond = false;  ///< it is an end of the line, and the point lies past it
};

/// A polyline through at least two places. Local.
class Path {
  public:
    /// n by (x, y). Repeated vertices are dropped; ConfigError where the line has no length.
    explicit Path(const core::MatrixD& vertices);

    double length() const { return start_.back(); }
    /// Of points at equal distance the first along the line.
    PathPlace place(double x, double y) const;

  private:
    core::MatrixD vertices_;
    std::vector<double> start_;  ///< length of the line up to each vertex
};

}  // namespace smeta::spatial
