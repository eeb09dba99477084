#include "smeta/align/spatial_transform.hpp"

#include <cmath>

#include "smeta/align/affine.hpp"
#include "smeta/core/error.hpp"

#include "flow.hpp"

namespace smeta::align {

namespace {

detail::VelocityFlow flow_of(const SpatialTransform& transform) {
    return {transform.steps, transform.n,    transform.x0,
            transform.y0,    transform.cell, transform.velocity};
}

/// The flow backwards: the fields in reverse order and sign; a first guess of the inverse.
detail::VelocityFlow backwards(const detail::VelocityFlow& flow) {
    detail::VelocityFlow back = flow;
    const std::int64_t field = flow.n * flow.n * 2;
    for (std::int64_t t = 0; t < flow.steps; ++t)
        for (std::int64_t c = 0; c < field; ++c)
            back.velocity[t * field + c] = -flow.velocity[(flow.steps - 1 - t) * field + c];
    return back;
}

}  // namespace

core::MatrixD apply(const SpatialTransform& transform,
                    const Eigen::Ref<const core::MatrixD>& points) {
    if (!transform.deforms()) return apply(transform.affine, points);
    core::check(points.cols() == 2, "points have x and y");
    const core::MatrixD moved = flow_of(transform)(points);
    return apply(transform.affine, moved);
}

core::MatrixD apply_inverse(const SpatialTransform& transform,
                            const Eigen::Ref<const core::MatrixD>& points) {
    const core::MatrixD target = apply(inverse(transform.affine), points);
    if (!transform.deforms()) return target;
    const detail::VelocityFlow flow = flow_of(transform);
    detail::Points guess = backwards(flow)(target);
    constexpr int kMostSteps = 50;
    for (int k = 0; k < kMostSteps; ++k) {
        // phi is near the identity: its own residual is a step towards the answer.
        const detail::Points miss = target - flow(guess);
        guess += miss;
        if (miss.cwiseAbs().maxCoeff() < 1e-7 * transform.cell) break;
    }
    return guess;
}

SpatialTransform compose(const AffineTransform& second, const SpatialTransform& transform) {
    SpatialTransform result = transform;
    result.affine = compose(second, transform.affine);
    return result;
}

std::vector<double> determinants(const SpatialTransform& transform,
                                 const Eigen::Ref<const core::MatrixD>& points) {
    std::vector<double> result(points.rows(), determinant(transform.affine));
    if (!transform.deforms()) return result;
    const double step = 0.5 * transform.cell;
    const auto shifted = [&](double dx, double dy) {
        const core::MatrixD moved = points.rowwise() + Eigen::RowVector2d(dx, dy);
        return apply(transform, moved);
    };
    const core::MatrixD right = shifted(step, 0);
    const core::MatrixD left = shifted(-step, 0);
    const core::MatrixD down = shifted(0, step);
    const core::MatrixD up = shifted(0, -step);
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        const Eigen::RowVector2d dx = (right.row(r) - left.row(r)) / (2 * step);
        const Eigen::RowVector2d dy = (down.row(r) - up.row(r)) / (2 * step);
        result[r] = dx[0] * dy[1] - dx[1] * dy[0];
    }
    return result;
}

}  // namespace smeta::align
