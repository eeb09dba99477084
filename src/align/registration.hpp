#pragma once

#include "flow.hpp"
#include "match.hpp"
#include "pose_search.hpp"

namespace smeta::align::detail {

/// Improves a pose: L-BFGS on the four entries of the linear part, unless the deformation is a mere
/// shift, and the shift, rounds of which the outline's tolerance shrinks and the content is paired
/// anew.
ScoredPose refine_pose(Match match, const ScoredPose& start, Deformation deformation);

struct FlowOptions {
    std::int64_t grid = 48;
    std::int64_t steps = 4;
    double width = 0.15;     ///< a of the smoother, lengths of the SM tissue
    double stiffness = 250;  ///< of the regulariser
    std::int64_t rounds = 3;
    std::int64_t iterations = 60;  ///< of each round
};

struct Registration {
    VelocityFlow flow;
    Pose pose;
    MatchScore match;
    std::int64_t iterations = 0;
    bool converged = false;
};

/// Flow and affine map together, from a refined pose (spec A4.3).
Registration register_flow(Match match, const Pose& start, const FlowOptions& options);

}  // namespace smeta::align::detail
