#include "point_term.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace smeta::align::detail {

namespace {

/// The rounded length, and what to multiply the difference by for its slope.
double rounded(double square, double rounding, double& slope) {
    const double root = std::sqrt(square + rounding * rounding);
    slope = root > 0 ? 1 / root : 0;
    return root - rounding;
}

double length(PointNorm norm, double rounding, const Eigen::RowVector2d& d,
              Eigen::RowVector2d& slope) {
    double factor = 0;
    if (norm == PointNorm::Euclidean) {
        const double size = rounded(d.squaredNorm(), rounding, factor);
        slope = factor * d;
        return size;
    }
    double sum = 0;
    for (const int c : {0, 1}) {
        sum += rounded(d[c] * d[c], rounding, factor);
        slope[c] = factor * d[c];
    }
    return sum;
}

std::int64_t nearest(const spatial::PointIndex& index, const Points& points, Eigen::Index row) {
    return index.nearest({points.row(row).data(), 2}, 1).front().row;
}

}  // namespace

PointTerm::PointTerm(Points fixed, PointNorm norm)
    : fixed_(std::move(fixed)), norm_(norm), index_(core::MatrixD(fixed_)) {}

double PointTerm::value(const Points& moved, double rounding, Points& gradient) const {
    gradient.setZero(moved.rows(), 2);
    if (!moved.allFinite()) return std::numeric_limits<double>::infinity();
    Eigen::RowVector2d slope;
    double there = 0;
    const double share = 1.0 / static_cast<double>(moved.rows());
    for (Eigen::Index i = 0; i < moved.rows(); ++i) {
        const std::int64_t q = nearest(index_, moved, i);
        there += length(norm_, rounding, moved.row(i) - fixed_.row(q), slope);
        gradient.row(i) += share * slope;
    }
    double back = 0;
    const double back_share = 1.0 / static_cast<double>(fixed_.rows());
    const spatial::PointIndex moved_index{core::MatrixD(moved)};
    for (Eigen::Index j = 0; j < fixed_.rows(); ++j) {
        const std::int64_t p = nearest(moved_index, fixed_, j);
        back += length(norm_, rounding, moved.row(p) - fixed_.row(j), slope);
        gradient.row(p) += back_share * slope;
    }
    return share * there + back_share * back;
}

}  // namespace smeta::align::detail
