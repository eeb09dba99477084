#include "smeta/stats/lbfgs.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

namespace smeta::stats {

namespace {

struct Pair {
    Eigen::VectorXd s;
    Eigen::VectorXd y;
    double rho;
};

Eigen::VectorXd direction(const std::deque<Pair>& pairs, const Eigen::VectorXd& gradient) {
    Eigen::VectorXd q = -gradient;
    std::vector<double> alpha(pairs.size());
    for (std::size_t k = pairs.size(); k-- > 0;) {
        alpha[k] = pairs[k].rho * pairs[k].s.dot(q);
        q -= alpha[k] * pairs[k].y;
    }
    if (!pairs.empty()) q /= pairs.back().rho * pairs.back().y.squaredNorm();
    for (std::size_t k = 0; k < pairs.size(); ++k)
        q += (alpha[k] - pairs[k].rho * pairs[k].y.dot(q)) * pairs[k].s;
    return q;
}

}  // namespace

LbfgsResult minimise(const std::function<double(const Eigen::VectorXd&, Eigen::VectorXd&)>& f,
                     Eigen::VectorXd& x, const LbfgsOptions& options) {
    constexpr std::int64_t kWindow = 5;
    constexpr int kTries = 20;
    constexpr double kSufficient = 1e-4;
    Eigen::VectorXd gradient(x.size());
    LbfgsResult result;
    result.value = f(x, gradient);
    std::deque<Pair> pairs;
    std::deque<double> last{result.value};
    Eigen::VectorXd trial(x.size());
    Eigen::VectorXd trial_gradient(x.size());
    while (result.iterations < options.iterations) {
        Eigen::VectorXd step = direction(pairs, gradient);
        double slope = step.dot(gradient);
        if (!(slope < 0)) {
            pairs.clear();
            step = -gradient;
            slope = -gradient.squaredNorm();
        }
        if (!(slope < 0)) {
            result.converged = true;
            break;
        }
        double length = pairs.empty() ? options.first_step / step.norm() : 1.0;
        double value = 0;
        int tries = 0;
        for (; tries < kTries; ++tries, length *= 0.5) {
            trial = x + length * step;
            value = f(trial, trial_gradient);
            if (std::isfinite(value) && value <= result.value + kSufficient * length * slope) break;
        }
        if (tries == kTries) {
            if (pairs.empty()) {
                result.converged = true;
                break;
            }
            pairs.clear();
            continue;
        }
        ++result.iterations;
        Pair pair{trial - x, trial_gradient - gradient, 0};
        const double sy = pair.s.dot(pair.y);
        if (sy > 1e-12 * pair.y.squaredNorm()) {
            pair.rho = 1 / sy;
            pairs.push_back(std::move(pair));
            if (static_cast<std::int64_t>(pairs.size()) > options.memory) pairs.pop_front();
        }
        x = trial;
        gradient = trial_gradient;
        result.value = value;
        last.push_back(value);
        if (static_cast<std::int64_t>(last.size()) > kWindow + 1) last.pop_front();
        if (static_cast<std::int64_t>(last.size()) == kWindow + 1 &&
            last.front() - value <= options.tolerance * std::max(1.0, std::abs(value))) {
            result.converged = true;
            break;
        }
    }
    return result;
}

}  // namespace smeta::stats
