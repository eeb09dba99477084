#include "smeta/spatial/path.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "smeta/core/error.hpp"

namespace smeta::spatial {

Path::Path(const core::MatrixD& vertices) : vertices_(vertices) {
    Eigen::Index kept = 0;
    for (Eigen::Index v = 0; v < vertices.rows(); ++v) {
        const double step = kept == 0 ? 0 : (vertices.row(v) - vertices_.row(kept - 1)).norm();
        if (kept > 0 && !(step > 0)) continue;
        start_.push_back(kept == 0 ? 0 : start_.back() + step);
        vertices_.row(kept++) = vertices.row(v);
    }
    if (kept < 2) throw core::ConfigError("a path needs two different vertices");
    vertices_.conservativeResize(kept, 2);
}

PathPlace Path::place(double x, double y) const {
    PathPlace best;
    double least = std::numeric_limits<double>::infinity();
    const auto segments = vertices_.rows() - 1;
    for (Eigen::Index s = 0; s < segments; ++s) {
        const double dx = vertices_(s + 1, 0) - vertices_(s, 0);
        const double dy = vertices_(s + 1, 1) - vertices_(s, 1);
        const double px = x - vertices_(s, 0);
        const double py = y - vertices_(s, 1);
        const double share = (px * dx + py * dy) / (dx * dx + dy * dy);
        const double t = std::clamp(share, 0.0, 1.0);
        const double distance = std::hypot(px - t * dx, py - t * dy);
        if (!(distance < least)) continue;
        least = distance;
        best.along = start_[s] + t * (start_[s + 1] - start_[s]);
        best.distance = distance;
        best.beyond = (s == 0 && share < 0) || (s == segments - 1 && share > 1);
    }
    return best;
}

}  // namespace smeta::spatial
