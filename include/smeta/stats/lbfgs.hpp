#pragma once

#include <cstdint>
#include <functional>

#include <Eigen/Core>

namespace smeta::stats {

struct LbfgsOptions {
    std::int64_t iterations = 100;
    std::int64_t memory = 8;
    double first_step = 0.02;  ///< length of the first step
    /// Converged when five iterations gain less, relative to max(1, |value|).
    double tolerance = 1e-4;
};

struct LbfgsResult {
    double value = 0;
    std::int64_t iterations = 0;
    bool converged = false;
};

/// Minimises `f` (value at x; writes the gradient) from `x`, in place, by limited-memory BFGS with
/// backtracking (Nocedal and Wright 2006, algorithm 7.5). Never ends above where it began. Local.
LbfgsResult minimise(const std::function<double(const Eigen::VectorXd&, Eigen::VectorXd&)>& f,
                     Eigen::VectorXd& x, const LbfgsOptions& options);

}  // namespace smeta::stats
