#include "smeta/align/fit.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <Eigen/LU>
#include <Eigen/QR>
#include <fmt/format.h>

#include "smeta/align/affine.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

#include "registration.hpp"

namespace smeta::align {

namespace {

constexpr double kOtherOrientation = 25;   // degrees
constexpr double kSameOrientation = 12;    // degrees
constexpr double kAmbiguous = 0.2;         // nats a place behind the best
constexpr double kConfidenceScale = 0.08;  // likewise
constexpr std::size_t kMostRivals = 4;     // that are bent before they are ranked
constexpr double kRivalMargin = 0.6;       // nats a place
constexpr double kLandmarkError = 0.01;    // lengths of the ST tissue

/// From normalised frames to those of the points.
AffineTransform in_units(const detail::Pose& pose, const SectionRaster& sm,
                         const SectionRaster& st) {
    const Eigen::Matrix2d a = pose.linear * (st.length / sm.length);
    const Eigen::Vector2d t = Eigen::Vector2d(st.centre[0], st.centre[1]) + pose.shift * st.length -
                              a * Eigen::Vector2d(sm.centre[0], sm.centre[1]);
    return {{a(0, 0), a(0, 1), a(1, 0), a(1, 1)}, {t[0], t[1]}};
}

SpatialTransform in_units(const detail::Registration& found, const SectionRaster& sm,
                          const SectionRaster& st) {
    SpatialTransform transform;
    transform.affine = in_units(found.pose, sm, st);
    transform.steps = found.flow.steps;
    transform.n = found.flow.n;
    transform.x0 = found.flow.x0 * sm.length + sm.centre[0];
    transform.y0 = found.flow.y0 * sm.length + sm.centre[1];
    transform.cell = found.flow.cell * sm.length;
    transform.velocity = found.flow.velocity;
    for (double& v : transform.velocity) v *= sm.length;
    return transform;
}

double smallest_determinant(const SpatialTransform& transform, const SectionRaster& sm) {
    std::vector<double> places;
    for (std::int64_t c = 0; c < sm.grid.size(); ++c) {
        if (!sm.inside(c)) continue;
        places.push_back(sm.grid.x(c % sm.grid.nx));
        places.push_back(sm.grid.y(c / sm.grid.nx));
    }
    const std::vector<double> all = determinants(
        transform,
        Eigen::Map<core::MatrixD>(places.data(), static_cast<Eigen::Index>(places.size() / 2), 2));
    double least = 1e300;
    for (const double d : all) least = std::min(least, d / determinant(transform.affine));
    return least;
}

}  // namespace

namespace {

/// Least-squares affine map of landmarks; nullopt for fewer than three or ones on a line.
std::optional<detail::Pose> landmark_pose(const detail::LandmarkPairs& landmarks) {
    if (landmarks.sm.rows() < 3) return std::nullopt;
    Eigen::MatrixXd x(landmarks.sm.rows(), 3);
    x << landmarks.sm, Eigen::VectorXd::Ones(landmarks.sm.rows());
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> solver(x);
    if (solver.rank() < 3) return std::nullopt;
    const Eigen::MatrixXd solution = solver.solve(landmarks.st);
    detail::Pose pose;
    pose.linear = solution.topRows(2).transpose();
    pose.shift = solution.row(2).transpose();
    if (std::abs(pose.linear.determinant()) < 1e-3) return std::nullopt;
    return pose;
}

void check_landmarks(const Landmarks& landmarks) {
    if (landmarks.sm.rows() != landmarks.st.rows() || !landmarks.sm.allFinite() ||
        !landmarks.st.allFinite())
        throw core::ConfigError(fmt::format(
            "landmarks must be pairs of finite points: {} of the imaging frame, {} of the spots' "
            "frame",
            landmarks.sm.rows(), landmarks.st.rows()));
}

std::vector<detail::ScoredPose> start_poses(const detail::Match& match, const FitOptions& options) {
    if (const auto pose = landmark_pose(match.landmarks()))
        return {{*pose, match.score((*pose)(match.places()), pose->linear.determinant()), 0}};
    return detail::search_poses(match, options);
}

/// Refined, best first; of poses that came to the same place the best.
std::vector<detail::ScoredPose> refine(const detail::Match& match,
                                       std::vector<detail::ScoredPose> poses) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(core::threads())
    for (std::size_t p = 0; p < poses.size(); ++p) poses[p] = detail::refine_pose(match, poses[p]);
    std::stable_sort(poses.begin(), poses.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    std::vector<detail::ScoredPose> kept;
    for (const auto& pose : poses)
        if (std::none_of(kept.begin(), kept.end(), [&](const auto& other) {
                return detail::pose_difference(pose.pose, other.pose) < kSameOrientation;
            }))
            kept.push_back(pose);
    return kept;
}

/// A pose, and what bending makes of it where it is a rival for the first place.
struct BentPose {
    detail::ScoredPose affine;
    detail::Registration bent;
    double score = 0;
};

/// Bends the poses near the best and ranks anew: bent, the right one gains most.
std::vector<BentPose> bend(const detail::Match& match,
                           const std::vector<detail::ScoredPose>& poses) {
    std::size_t rivals = 0;
    while (rivals < std::min(poses.size(), kMostRivals) &&
           poses[rivals].score > poses.front().score - kRivalMargin)
        ++rivals;
    std::vector<BentPose> all(poses.size());
#pragma omp parallel for schedule(dynamic, 1) num_threads(core::threads())
    for (std::size_t p = 0; p < poses.size(); ++p) {
        all[p].affine = poses[p];
        all[p].score = poses[p].score;
        if (p >= rivals) continue;
        all[p].bent = detail::register_flow(match, poses[p].pose, {});
        all[p].score = detail::pose_score(all[p].bent.match);
    }
    std::stable_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rivals),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    return all;
}

/// Ranks, confidences and the flag.
void rank(Fit& fit, const std::vector<BentPose>& poses, const SectionRaster& sm,
          const SectionRaster& st) {
    double sum = 0;
    for (const BentPose& pose : poses) {
        const double behind = std::max(0.0, poses.front().score - pose.score);
        fit.candidates.push_back({in_units(pose.affine.pose, sm, st), pose.score,
                                  pose.affine.match.overlap, pose.affine.match.information,
                                  std::exp(-behind / kConfidenceScale)});
        sum += fit.candidates.back().confidence;
        fit.ambiguous =
            fit.ambiguous || (behind < kAmbiguous &&
                              detail::pose_difference(pose.affine.pose, poses.front().affine.pose) >
                                  kOtherOrientation);
    }
    for (Candidate& candidate : fit.candidates) candidate.confidence /= sum;
}

}  // namespace

Fit fit_sections(const SectionRaster& sm, const SectionRaster& st, const FitOptions& options) {
    check_landmarks(options.landmarks);
    detail::Match match(sm, st);
    if (options.landmarks.sm.rows() > 0) {
        match.set_landmarks({match.to_sm(options.landmarks.sm), match.to_st(options.landmarks.st)});
        match.weights.landmarks = 1 / (kLandmarkError * kLandmarkError);
    }
    std::vector<BentPose> poses = bend(match, refine(match, start_poses(match, options)));
    Fit fit;
    rank(fit, poses, sm, st);
    fit.transform = fit.candidates.front().affine;
    fit.overlap = poses.front().affine.match.overlap;
    fit.smallest_determinant = 1;
    fit.converged = true;
    if (options.deformation == Deformation::Diffeomorphic) {
        const detail::Registration& found = poses.front().bent;
        fit.transform = in_units(found, sm, st);
        fit.overlap = found.match.overlap;
        fit.iterations = found.iterations;
        fit.converged = found.converged;
        fit.smallest_determinant = smallest_determinant(fit.transform, sm);
    }
    fit.outline_sm = outline(sm);
    fit.outline_st = outline(st);
    fit.outline_fitted = fit.outline_sm;
    for (const Eigen::Index end : {0, 2})
        fit.outline_fitted.middleCols(end, 2) =
            apply(fit.transform, fit.outline_sm.middleCols(end, 2));
    return fit;
}

}  // namespace smeta::align
