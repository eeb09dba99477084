#include "registration.hpp"

#include <array>
#include <cmath>

#include <Eigen/LU>

#include "smeta/stats/lbfgs.hpp"

namespace smeta::align::detail {

namespace {

constexpr Eigen::Index kPoseValues = 6;
constexpr double kFurthestTurn = 25;  // degrees
constexpr double kFlowContent = 0.05;
constexpr double kFlowOutline = 0.3;

Pose pose_of(const double* x) {
    Pose pose;
    pose.linear << x[0], x[1], x[2], x[3];
    pose.shift << x[4], x[5];
    return pose;
}

void put(const Pose& pose, double* x) {
    x[0] = pose.linear(0, 0);
    x[1] = pose.linear(0, 1);
    x[2] = pose.linear(1, 0);
    x[3] = pose.linear(1, 1);
    x[4] = pose.shift[0];
    x[5] = pose.shift[1];
}

/// Adds the gradient of the six values of a pose; `at`: where the pose was applied.
void add_pose_gradient(const Points& at, const Points& gradient, double* out) {
    const Eigen::Matrix2d linear = gradient.transpose() * at;
    out[0] += linear(0, 0);
    out[1] += linear(0, 1);
    out[2] += linear(1, 0);
    out[3] += linear(1, 1);
    const Eigen::RowVector2d shift = gradient.colwise().sum();
    out[4] += shift[0];
    out[5] += shift[1];
}

/// Keeps the ratio of the axes and the area near those of the start: sections differ by little.
struct ShapePrior {
    Eigen::Matrix2d start_inverse;
    double weight = 0;

    double value(const Eigen::Matrix2d& linear, double* out) const {
        // F = linear start^-1 without its rotation: S = F^T F near a multiple of 1.
        const Eigen::Matrix2d f = linear * start_inverse;
        const double p = f.col(0).squaredNorm() - f.col(1).squaredNorm();
        const double q = 2 * f.col(0).dot(f.col(1));
        Eigen::Matrix2d df;
        df.col(0) = 4 * p * f.col(0) + 4 * q * f.col(1);
        df.col(1) = -4 * p * f.col(1) + 4 * q * f.col(0);
        const Eigen::Matrix2d d = weight * df * start_inverse.transpose();
        out[0] += d(0, 0);
        out[1] += d(0, 1);
        out[2] += d(1, 0);
        out[3] += d(1, 1);
        return weight * (p * p + q * q);
    }
};

/// `at`: what the match tracks, before the pose. Adds the gradient of the pose.
double affine_value(const Match& match, const Points& at, const Pose& pose, double scale,
                    Points& gradient, double* pose_gradient) {
    const double value = match.objective(pose(at), scale, gradient);
    add_pose_gradient(at, gradient, pose_gradient);
    return value;
}

}  // namespace

ScoredPose refine_pose(Match match, const ScoredPose& start, Deformation deformation) {
    Eigen::VectorXd x(kPoseValues);
    put(start.pose, x.data());
    const ShapePrior prior{start.pose.linear.inverse(), 0.5};
    const Points tracked = match.tracked();
    Points gradient;
    for (const double width : {0.06, 0.04, 0.025}) {
        match.weights.outline_width = width;
        const Pose before = pose_of(x.data());
        match.pair_content(before(match.places()));
        const double scale = std::sqrt(std::abs(before.linear.determinant()));
        stats::minimise(
            [&](const Eigen::VectorXd& at, Eigen::VectorXd& g) {
                g.setZero();
                const Pose pose = pose_of(at.data());
                const double value = affine_value(match, tracked, pose, scale, gradient, g.data()) +
                                     prior.value(pose.linear, g.data());
                if (deformation == Deformation::Shift) g.head(4).setZero();
                return value;
            },
            x, {.iterations = 30, .first_step = 0.02});
    }
    ScoredPose refined;
    refined.pose = pose_of(x.data());
    refined.match = match.score(refined.pose(match.places()), refined.pose.linear.determinant());
    refined.score = pose_score(refined.match, match.weights);
    // A hopeless start may turn over altogether: that pose is another's to find.
    return pose_difference(refined.pose, start.pose) <= kFurthestTurn ? refined : start;
}

Registration register_flow(Match match, const Pose& start, const FlowOptions& options) {
    // Neighbouring places err together: far fewer are independent than there are points.
    match.weights.content *= kFlowContent;
    match.weights.outline *= kFlowOutline;
    Registration result;
    VelocityFlow& flow = result.flow;
    const Points& places = match.places();
    const Points tracked = match.tracked();
    const double low = places.minCoeff();
    const double side = places.maxCoeff() - low;
    flow.n = options.grid;
    flow.steps = options.steps;
    flow.cell = 1.4 * side / static_cast<double>(flow.n - 1);
    flow.x0 = flow.y0 = low - 0.2 * side;
    Smoother smoother(flow.n, flow.cell, options.width);
    const Eigen::Index fields = flow.steps * flow.n * flow.n * 2;
    flow.velocity.assign(fields, 0.0);
    std::vector<double> velocity_gradient(fields);
    Eigen::VectorXd x = Eigen::VectorXd::Zero(fields + kPoseValues);
    put(start, x.data() + fields);
    const ShapePrior prior{start.linear.inverse(), 0.5};
    const double stiffness =
        options.stiffness * flow.cell * flow.cell / static_cast<double>(flow.steps);
    // White fields of variance 1 have this size; the pose's values are of order 1.
    const double unit = 1 / std::sqrt(stiffness);
    Points gradient;
    const auto spread = [&](const double* u) {
        smoother.apply(u, flow.velocity.data(), flow.steps);
        for (double& v : flow.velocity) v *= unit;
    };
    const auto value = [&](const Eigen::VectorXd& at, Eigen::VectorXd& g, double scale) {
        g.setZero();
        spread(at.data());
        const Pose pose = pose_of(at.data() + fields);
        const std::vector<Points> trace = flow.trace(tracked);
        double sum = affine_value(match, trace.back(), pose, scale, gradient, g.data() + fields);
        std::fill(velocity_gradient.begin(), velocity_gradient.end(), 0.0);
        flow.pull_back(trace, gradient * pose.linear, velocity_gradient);
        smoother.apply(velocity_gradient.data(), g.data(), flow.steps);
        g.head(fields) = unit * g.head(fields) + at.head(fields);
        sum += 0.5 * at.head(fields).squaredNorm();
        return sum + prior.value(pose.linear, g.data() + fields);
    };
    for (std::int64_t round = 0; round < options.rounds; ++round) {
        match.weights.outline_width = round == 0 ? 0.04 : 0.025;
        spread(x.data());
        const Pose pose = pose_of(x.data() + fields);
        match.pair_content(pose(flow(places)));
        const double scale = std::sqrt(std::abs(pose.linear.determinant()));
        const stats::LbfgsResult step = stats::minimise(
            [&](const Eigen::VectorXd& at, Eigen::VectorXd& g) { return value(at, g, scale); }, x,
            {.iterations = options.iterations, .first_step = 0.5});
        result.iterations += step.iterations;
        result.converged = step.converged;
    }
    spread(x.data());
    result.pose = pose_of(x.data() + fields);
    result.match = match.score(result.pose(flow(places)), result.pose.linear.determinant());
    return result;
}

}  // namespace smeta::align::detail
