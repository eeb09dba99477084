#include "smeta/stats/lbfgs.hpp"

#include <gtest/gtest.h>

namespace smeta::stats {
namespace {

TEST(Lbfgs, FindsTheMinimumOfRosenbrocksValley) {
    Eigen::VectorXd x(2);
    x << -1.2, 1;
    const auto valley = [](const Eigen::VectorXd& at, Eigen::VectorXd& g) {
        const double miss = at[1] - at[0] * at[0];
        g[0] = -400 * at[0] * miss - 2 * (1 - at[0]);
        g[1] = 200 * miss;
        return 100 * miss * miss + (1 - at[0]) * (1 - at[0]);
    };
    const LbfgsResult found = minimise(valley, x, {.iterations = 500, .tolerance = 1e-14});
    EXPECT_TRUE(found.converged);
    EXPECT_LT(found.iterations, 100);
    EXPECT_NEAR(x[0], 1, 1e-4);
    EXPECT_NEAR(x[1], 1, 1e-4);
}

}  // namespace
}  // namespace smeta::stats
