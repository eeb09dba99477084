#pragma once

#include <vector>

#include "smeta/align/fit.hpp"

#include "match.hpp"

namespace smeta::align::detail {

/// A pose and how well the sections lie in it.
struct ScoredPose {
    Pose pose;
    MatchScore match;
    double score = 0;
};

/// Nats: the larger the likelier the pose.
double pose_score(const MatchScore& match, const MatchWeights& weights);

/// Angle between two poses' orientations in degrees [0, 180], or 180 when one mirrors and the other
/// does not.
double pose_difference(const Pose& a, const Pose& b);

/// The best options.candidates poses that differ in orientation, best first: every angle in steps
/// of 5 degrees, both orientations, scales around that of equal areas; all shifts by the
/// correlation of the two tissues (FFT), of which the best are compared by content. With a mirror
/// or rotation given only those near it; of a mere shift only that one. Same result for any number
/// of threads.
std::vector<ScoredPose> search_poses(const Match& match, const FitOptions& options);

}  // namespace smeta::align::detail
