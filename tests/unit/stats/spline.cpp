#include "smeta/stats/spline.hpp"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/stats/correlation.hpp"
#include "smeta/stats/tests.hpp"

namespace smeta::stats {
namespace {

TEST(Spline, OfTwoKnotsIsTheStraightLine) {
    // y = 1 + 2 x with residuals 1, -2, 1, 0, 0 less their own regression; by hand: x mean 2,
    // Sxx 10; y = 2, 1, 6, 7, 9 has mean 5 and Sxy 20, so slope 2, intercept 1; residual squares
    // 1 + 4 + 1 + 0 + 0 = 6 over 3 degrees of freedom; explained 4 * 10 = 40.
    const std::array<double, 5> x{0, 1, 2, 3, 4};
    const std::array<double, 5> y{2, 1, 6, 7, 9};
    const SplineRegression regression(x, 2);
    const auto fit = regression.fit(y);
    EXPECT_NEAR(fit.residual_deviation, std::sqrt(2.0), 1e-12);
    EXPECT_NEAR(fit.r_squared, 40.0 / 46, 1e-12);
    EXPECT_NEAR(fit.f, 20, 1e-10);
    // The F test of one slope is the t test of Pearson's r.
    EXPECT_NEAR(fit.p_value, pearson_p_value(pearson(x, y), 5), 1e-12);
    const std::array<double, 2> at{2, 5};
    const auto curve = regression.curve(fit, at);
    EXPECT_NEAR(curve.value[0], 5, 1e-12);
    EXPECT_NEAR(curve.value[1], 11, 1e-12);
    // t(0.975, 3) = 3.182446305284263; variance at x: 1/5 + (x - 2)^2 / 10.
    EXPECT_NEAR(curve.half_width[0], 3.182446305284263 * std::sqrt(2 * 0.2), 1e-10);
    EXPECT_NEAR(curve.half_width[1], 3.182446305284263 * std::sqrt(2 * 1.1), 1e-10);
}

TEST(Spline, FollowsANaturalSplineExactly) {
    // Knots 0, 2, 4 (ends and median): |x - 2|^3 differs from a natural spline by a quadratic, so
    // take the spline that is cubic between the knots with second derivative 0 at both ends:
    // s(x) = x + (x - 2)^3_+ * 2 - x^3, whose second derivative is -6 x + 12 (x - 2)_+.
    std::vector<double> x;
    std::vector<double> y;
    const auto spline = [](double v) {
        return v + 2 * std::pow(std::max(0.0, v - 2), 3) - std::pow(v, 3);
    };
    for (int i = 0; i <= 16; ++i) {
        x.push_back(0.25 * i);
        y.push_back(spline(x.back()));
    }
    const SplineRegression regression(x, 3);
    EXPECT_EQ(regression.knots(), (std::vector<double>{0, 2, 4}));
    const auto fit = regression.fit(y);
    EXPECT_NEAR(fit.r_squared, 1, 1e-12);
    EXPECT_LT(fit.p_value, 1e-20);
    const std::array<double, 3> at{0.3, 2.9, 5};
    const auto curve = regression.curve(fit, at);
    for (int i = 0; i < 2; ++i) EXPECT_NEAR(curve.value[i], spline(at[i]), 1e-9);
    // Beyond the knots it goes on straight: from (4, s(4)) with slope s'(4).
    EXPECT_NEAR(curve.value[2], spline(4) + (1 + 6 * 4 - 3 * 16), 1e-9);
}

TEST(Spline, RefusesTooFewPlaces) {
    const std::array<double, 8> x{0, 0, 0, 0, 1, 1, 2, 2};
    EXPECT_THROW(SplineRegression(x, 3), core::ConfigError);
    EXPECT_NO_THROW(SplineRegression(x, 2));
}

TEST(Midranks, ShareTies) {
    const std::array<double, 6> values{3, 0, 0, 7, 3, 0};
    EXPECT_EQ(midranks(values), (std::vector<double>{4.5, 2, 2, 6, 4.5, 2}));
}

}  // namespace
}  // namespace smeta::stats
