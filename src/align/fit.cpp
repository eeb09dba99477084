#include "smeta/align/fit.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
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
// Prior odds of 4 to 1 for a section that is not mirrored, in units of the score: decides where two
// orientations fit about equally well.
constexpr double kMirrorPrior = 2 * kConfidenceScale * std::numbers::ln2;

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

/// Places of the SM tissue: cells of every `stride`-th row and column.
core::MatrixD tissue_places(const SectionRaster& sm, std::int64_t stride) {
    std::vector<double> places;
    for (std::int64_t j = 0; j < sm.grid.ny; j += stride)
        for (std::int64_t i = 0; i < sm.grid.nx; i += stride) {
            if (!sm.inside(j * sm.grid.nx + i)) continue;
            places.push_back(sm.grid.x(i));
            places.push_back(sm.grid.y(j));
        }
    return Eigen::Map<core::MatrixD>(places.data(), static_cast<Eigen::Index>(places.size() / 2),
                                     2);
}

double smallest_determinant(const SpatialTransform& transform, const SectionRaster& sm) {
    const std::vector<double> all = determinants(transform, tissue_places(sm, 1));
    double least = 1e300;
    for (const double d : all) least = std::min(least, d / determinant(transform.affine));
    return least;
}

core::MatrixD displacement(const SpatialTransform& transform, const SectionRaster& sm) {
    constexpr std::int64_t kStride = 4;
    const core::MatrixD places = tissue_places(sm, kStride);
    core::MatrixD result(places.rows(), 4);
    result << apply(transform.affine, places), apply(transform, places);
    return result;
}

/// `moved`: where the places lie, normalised ST frame. Pairs the content anew.
core::MatrixD agreement(detail::Match& match, const detail::Points& moved) {
    match.pair_content(moved);
    const std::vector<double> values = match.agreement(moved);
    const SectionRaster& st = match.st();
    core::MatrixD result(moved.rows(), 3);
    Eigen::Index count = 0;
    for (Eigen::Index r = 0; r < moved.rows(); ++r)
        if (!std::isnan(values[r]))
            result.row(count++) << moved(r, 0) * st.length + st.centre[0],
                moved(r, 1) * st.length + st.centre[1], values[r];
    result.conservativeResize(count, 3);
    return result;
}

/// Least-squares affine map of landmarks, normalised frames; ConfigError for ones on a line.
detail::Pose landmark_pose(const detail::LandmarkPairs& landmarks, const std::string& name) {
    Eigen::MatrixXd x(landmarks.sm.rows(), 3);
    x << landmarks.sm, Eigen::VectorXd::Ones(landmarks.sm.rows());
    Eigen::ColPivHouseholderQR<Eigen::MatrixXd> solver(x);
    solver.setThreshold(0.02);  // the thinnest extent, relative to the longest
    const Eigen::MatrixXd solution = solver.solve(landmarks.st);
    detail::Pose pose;
    pose.linear = solution.topRows(2).transpose();
    pose.shift = solution.row(2).transpose();
    constexpr double kSmallestArea = 1e-3;
    if (solver.rank() < 3 || std::abs(pose.linear.determinant()) < kSmallestArea)
        throw core::ConfigError(fmt::format(
            "{}: the {} points of one frame lie on one line or on one place; three or more that "
            "span an area are needed",
            name, landmarks.sm.rows()));
    return pose;
}

/// Every point must lie on its section or near it.
void check_places(const core::MatrixD& points, const SectionRaster& section,
                  const Landmarks& landmarks, const char* frame) {
    const RasterGrid& grid = section.grid;
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        const auto outside = [&](double at, double low, double high) {
            return at < low - section.length || at > high + section.length;
        };
        if (!outside(points(r, 0), grid.x0, grid.x(grid.nx - 1)) &&
            !outside(points(r, 1), grid.y0, grid.y(grid.ny - 1)))
            continue;
        throw core::ConfigError(fmt::format(
            "{}: landmark {} at ({:.6g}, {:.6g}) of the {} lies far outside that section, which "
            "spans x {:.6g} to {:.6g} and y {:.6g} to {:.6g}; check the columns and the unit",
            landmarks.name, r + 1, points(r, 0), points(r, 1), frame, grid.x0, grid.x(grid.nx - 1),
            grid.y0, grid.y(grid.ny - 1)));
    }
}

void check_landmarks(const Landmarks& landmarks, const SectionRaster& sm, const SectionRaster& st) {
    if (landmarks.sm.rows() != landmarks.st.rows() || !landmarks.sm.allFinite() ||
        !landmarks.st.allFinite())
        throw core::ConfigError(fmt::format(
            "{}: landmarks must be pairs of finite points: {} of the imaging frame, {} of the "
            "spots' frame",
            landmarks.name, landmarks.sm.rows(), landmarks.st.rows()));
    if (landmarks.sm.rows() > 0 && landmarks.sm.rows() < 3)
        throw core::ConfigError(fmt::format("{}: {} landmarks; three or more are needed",
                                            landmarks.name, landmarks.sm.rows()));
    check_places(landmarks.sm, sm, landmarks, "imaging frame");
    check_places(landmarks.st, st, landmarks, "spots' frame");
}

void check_weights(const FitOptions& options) {
    if (options.weight_outline > 0 || options.weight_features > 0 ||
        options.landmarks.sm.rows() > 0)
        return;
    throw core::ConfigError(
        "align.weight_outline and align.weight_features are both 0: nothing is left to lay the "
        "sections by; set one of them above 0 or give align.landmarks");
}

std::vector<detail::ScoredPose> start_poses(const detail::Match& match, const FitOptions& options) {
    if (match.landmarks().sm.rows() == 0 || options.deformation == Deformation::Shift)
        return detail::search_poses(match, options);
    const detail::Pose pose = landmark_pose(match.landmarks(), options.landmarks.name);
    return {{pose, match.score(pose(match.places()), pose.linear.determinant()), 0}};
}

double landmark_misfit(const SpatialTransform& transform, const Landmarks& landmarks,
                       const SectionRaster& st) {
    if (landmarks.sm.rows() == 0) return 0;
    const core::MatrixD miss = apply(transform, landmarks.sm) - landmarks.st;
    return std::sqrt(miss.rowwise().squaredNorm().mean()) / st.length;
}

/// Of poses that differ by less than kSameOrientation the first. `pose_of`: the pose of one.
template <class T, class PoseOf>
std::vector<T> distinct(const std::vector<T>& poses, const PoseOf& pose_of) {
    std::vector<T> kept;
    for (const T& one : poses)
        if (std::none_of(kept.begin(), kept.end(), [&](const T& other) {
                return detail::pose_difference(pose_of(one), pose_of(other)) < kSameOrientation;
            }))
            kept.push_back(one);
    return kept;
}

/// Refined, best first; of poses that came to the same place the best.
std::vector<detail::ScoredPose> refine(const detail::Match& match,
                                       std::vector<detail::ScoredPose> poses,
                                       Deformation deformation) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(core::threads())
    for (std::size_t p = 0; p < poses.size(); ++p)
        poses[p] = detail::refine_pose(match, poses[p], deformation);
    std::stable_sort(poses.begin(), poses.end(),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    return distinct(poses, [](const detail::ScoredPose& pose) { return pose.pose; });
}

/// A pose, and what bending makes of it where it is a rival for the first place.
struct BentPose {
    detail::ScoredPose affine;
    detail::Registration bent;
    double score = 0;
};

double mirror_cost(const detail::Pose& pose) {
    return pose.linear.determinant() < 0 ? kMirrorPrior : 0;
}

/// Bends the poses near the best and ranks anew: of sections that are bent the right one gains
/// most. Where they are not, bending would only make up for what is wrong with the others.
std::vector<BentPose> bend(const detail::Match& match, const std::vector<detail::ScoredPose>& poses,
                           Deformation deformation) {
    std::size_t rivals = 0;
    while (deformation == Deformation::Diffeomorphic &&
           rivals < std::min(poses.size(), kMostRivals) &&
           poses[rivals].score > poses.front().score - kRivalMargin)
        ++rivals;
    std::vector<BentPose> all(poses.size());
#pragma omp parallel for schedule(dynamic, 1) num_threads(core::threads())
    for (std::size_t p = 0; p < poses.size(); ++p) {
        all[p].affine = poses[p];
        all[p].score = poses[p].score;
        if (p < rivals) {
            all[p].bent = detail::register_flow(match, poses[p].pose, {});
            all[p].score = detail::pose_score(all[p].bent.match, match.weights);
            // What turned on the way is no longer the pose that it began at.
            if (detail::pose_difference(all[p].bent.pose, poses[p].pose) > kOtherOrientation)
                all[p].affine = detail::refine_pose(match, {all[p].bent.pose, all[p].bent.match, 0},
                                                    deformation);
        }
        all[p].score -= mirror_cost(all[p].affine.pose);
    }
    std::stable_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rivals),
                     [](const auto& a, const auto& b) { return a.score > b.score; });
    return distinct(all, [](const BentPose& pose) { return pose.affine.pose; });
}

/// Ranks, confidences and the flag.
void rank(Fit& fit, const std::vector<BentPose>& poses, const SectionRaster& sm,
          const SectionRaster& st) {
    double sum = 0;
    const detail::Pose& first = poses.front().affine.pose;
    for (const BentPose& pose : poses) {
        const double behind = std::max(0.0, poses.front().score - pose.score);
        fit.candidates.push_back({in_units(pose.affine.pose, sm, st), pose.score,
                                  pose.affine.match.overlap, pose.affine.match.information,
                                  std::exp(-behind / kConfidenceScale)});
        sum += fit.candidates.back().confidence;
        // What is known beforehand makes no fit surer of itself.
        const double evidence =
            poses.front().score + mirror_cost(first) - (pose.score + mirror_cost(pose.affine.pose));
        fit.ambiguous =
            fit.ambiguous || (evidence < kAmbiguous &&
                              detail::pose_difference(pose.affine.pose, first) > kOtherOrientation);
    }
    for (Candidate& candidate : fit.candidates) candidate.confidence /= sum;
}

}  // namespace

double tissue_overlap(const SpatialTransform& transform, const SectionRaster& sm,
                      const SectionRaster& st) {
    const core::MatrixD places = tissue_places(sm, 1);
    const core::MatrixD moved = apply(transform, places);
    // Bending changes areas from place to place.
    const std::vector<double> areas = determinants(transform, places);
    double all = 0;
    double both = 0;
    for (Eigen::Index r = 0; r < moved.rows(); ++r) {
        const double area = std::abs(areas[r]) * sm.grid.cell * sm.grid.cell;
        all += area;
        const auto i = std::lround((moved(r, 0) - st.grid.x0) / st.grid.cell);
        const auto j = std::lround((moved(r, 1) - st.grid.y0) / st.grid.cell);
        if (i >= 0 && j >= 0 && i < st.grid.nx && j < st.grid.ny && st.inside(j * st.grid.nx + i))
            both += area;
    }
    return std::min(1.0, both / (all + st.area - both));
}

Fit fit_sections(const SectionRaster& sm, const SectionRaster& st, const FitOptions& options) {
    check_landmarks(options.landmarks, sm, st);
    check_weights(options);
    detail::Match match(sm, st);
    match.weights.outline = options.weight_outline;
    match.weights.content = options.weight_features;
    match.compare_borders(options.point_norm);
    if (options.landmarks.sm.rows() > 0) {
        match.set_landmarks({match.to_sm(options.landmarks.sm), match.to_st(options.landmarks.st)});
        match.weights.landmarks = 1 / (options.landmark_error * options.landmark_error);
    }
    const std::vector<BentPose> poses =
        bend(match, refine(match, start_poses(match, options), options.deformation),
             options.deformation);
    Fit fit;
    rank(fit, poses, sm, st);
    fit.transform = fit.candidates.front().affine;
    fit.smallest_determinant = 1;
    fit.converged = true;
    if (options.deformation == Deformation::Diffeomorphic) {
        const detail::Registration& found = poses.front().bent;
        fit.transform = in_units(found, sm, st);
        fit.iterations = found.iterations;
        fit.converged = found.converged;
        fit.smallest_determinant = smallest_determinant(fit.transform, sm);
        fit.displacement = displacement(fit.transform, sm);
        fit.agreement = agreement(match, found.pose(found.flow(match.places())));
    } else {
        fit.agreement = agreement(match, poses.front().affine.pose(match.places()));
    }
    fit.overlap = tissue_overlap(fit.transform, sm, st);
    fit.landmark_misfit = landmark_misfit(fit.transform, options.landmarks, st);
    fit.outline_sm = outline(sm);
    fit.outline_st = outline(st);
    fit.outline_fitted = fit.outline_sm;
    for (const Eigen::Index end : {0, 2})
        fit.outline_fitted.middleCols(end, 2) =
            apply(fit.transform, fit.outline_sm.middleCols(end, 2));
    return fit;
}

}  // namespace smeta::align
