#include "smeta/align/affine.hpp"

#include <cmath>

#include "smeta/core/error.hpp"

namespace smeta::align {

double determinant(const AffineTransform& transform) {
    return transform.a[0] * transform.a[3] - transform.a[1] * transform.a[2];
}

core::MatrixD apply(const AffineTransform& transform,
                    const Eigen::Ref<const core::MatrixD>& points) {
    core::check(points.cols() == 2, "points have x and y");
    const auto& [a, t] = transform;
    core::MatrixD mapped(points.rows(), 2);
    for (Eigen::Index i = 0; i < points.rows(); ++i)
        mapped.row(i) << a[0] * points(i, 0) + a[1] * points(i, 1) + t[0],
            a[2] * points(i, 0) + a[3] * points(i, 1) + t[1];
    return mapped;
}

AffineTransform inverse(const AffineTransform& transform) {
    const double d = determinant(transform);
    if (!std::isfinite(d) || d == 0.0)
        throw core::ConfigError("the transform cannot be inverted: its determinant is 0");
    const auto& [a, t] = transform;
    AffineTransform result;
    result.a = {a[3] / d, -a[1] / d, -a[2] / d, a[0] / d};
    result.t = {-(result.a[0] * t[0] + result.a[1] * t[1]),
                -(result.a[2] * t[0] + result.a[3] * t[1])};
    return result;
}

AffineTransform compose(const AffineTransform& second, const AffineTransform& first) {
    const auto& b = second.a;
    const auto& a = first.a;
    return {{b[0] * a[0] + b[1] * a[2], b[0] * a[1] + b[1] * a[3], b[2] * a[0] + b[3] * a[2],
             b[2] * a[1] + b[3] * a[3]},
            {b[0] * first.t[0] + b[1] * first.t[1] + second.t[0],
             b[2] * first.t[0] + b[3] * first.t[1] + second.t[1]}};
}

}  // namespace smeta::align
