#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::stats {

/// One response regressed on a natural cubic spline.
struct SplineFit {
    std::vector<double> coefficients;  ///< of SplineRegression's orthonormal basis
    double residual_deviation = 0;     ///< sqrt(residual squares / (n - parameters))
    double r_squared = 0;
    double f = 0;  ///< against a constant, parameters - 1 and n - parameters degrees of freedom
    double p_value = 1;  ///< P(F >= f)
};

/// Places of a fitted curve with its pointwise 95 % confidence band.
struct SplineCurve {
    std::vector<double> value;
    std::vector<double> half_width;
};

/// Least squares on a natural cubic spline of one predictor (Hastie, Tibshirani and Friedman, The
/// Elements of Statistical Learning, 5.2.1), the same for many responses: knots at the ends of the
/// predictor and at evenly spaced quantiles of it (linear interpolation, as numpy's), as many
/// parameters as knots. Const members may be called by many threads. Local.
class SplineRegression {
  public:
    /// `knots` >= 2. ConfigError where there are not more different values of `x` than knots, or
    /// they are not enough between the knots.
    SplineRegression(std::span<const double> x, std::int32_t knots);

    const std::vector<double>& knots() const { return knots_; }
    /// `y`: one value for each of x, not all equal. A fit without residuals has an infinite f.
    SplineFit fit(std::span<const double> y) const;
    SplineCurve curve(const SplineFit& fit, std::span<const double> at) const;

  private:
    Eigen::RowVectorXd basis(double x) const;
    double low_ = 0;
    double width_ = 1;
    std::vector<double> knots_;  ///< unit of x
    core::MatrixD orthonormal_;  ///< rows by parameters; the first column is constant
    core::MatrixD to_orthonormal_;
};

}  // namespace smeta::stats
