#include "smeta/stats/spline.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/QR>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::stats {
namespace {

constexpr double kConfidence = 0.95;

double cube_above(double x) {
    return x > 0 ? x * x * x : 0;
}

std::vector<double> quantile_knots(const std::vector<double>& ascending, std::int32_t count) {
    std::vector<double> knots;
    for (std::int32_t k = 0; k < count; ++k) {
        const double at = static_cast<double>(ascending.size() - 1) * k / (count - 1);
        const auto low = static_cast<std::size_t>(at);
        const auto high = std::min(low + 1, ascending.size() - 1);
        const double knot =
            ascending[low] + (at - static_cast<double>(low)) * (ascending[high] - ascending[low]);
        if (knots.empty() || knot > knots.back()) knots.push_back(knot);
    }
    return knots;
}

}  // namespace

SplineRegression::SplineRegression(std::span<const double> x, std::int32_t knots) {
    core::check(knots >= 2, "a spline has two knots or more");
    std::vector<double> ascending(x.begin(), x.end());
    std::sort(ascending.begin(), ascending.end());
    std::vector<double> distinct = ascending;
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    const auto refuse = [&] {
        throw core::ConfigError(
            fmt::format("a curve of {} knots needs more than {} different places, well spread; "
                        "there are {}: use fewer knots or more spots",
                        knots, knots, distinct.size()));
    };
    if (static_cast<std::int32_t>(distinct.size()) <= knots) refuse();
    knots_ = quantile_knots(ascending, knots);
    low_ = ascending.front();
    width_ = ascending.back() - ascending.front();
    const auto parameters = static_cast<Eigen::Index>(knots_.size());
    core::MatrixD design(static_cast<Eigen::Index>(x.size()), parameters);
    for (std::size_t i = 0; i < x.size(); ++i)
        design.row(static_cast<Eigen::Index>(i)) = basis(x[i]);
    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(design);
    const Eigen::MatrixXd upper = qr.matrixQR().topRows(parameters).triangularView<Eigen::Upper>();
    if (!(upper.diagonal().cwiseAbs().minCoeff() > 1e-9 * upper.diagonal().cwiseAbs().maxCoeff()))
        refuse();
    to_orthonormal_ = upper.triangularView<Eigen::Upper>().solve(
        Eigen::MatrixXd::Identity(parameters, parameters));
    orthonormal_ = design * to_orthonormal_;
}

Eigen::RowVectorXd SplineRegression::basis(double x) const {
    const auto count = static_cast<Eigen::Index>(knots_.size());
    const double t = (x - low_) / width_;
    const auto knot = [&](Eigen::Index k) { return (knots_[k] - low_) / width_; };
    const auto d = [&](Eigen::Index k) {
        return (cube_above(t - knot(k)) - cube_above(t - knot(count - 1))) /
               (knot(count - 1) - knot(k));
    };
    Eigen::RowVectorXd row(count);
    row(0) = 1;
    row(1) = t;
    for (Eigen::Index k = 0; k + 2 < count; ++k) row(k + 2) = d(k) - d(count - 2);
    return row;
}

SplineFit SplineRegression::fit(std::span<const double> y) const {
    core::check(static_cast<Eigen::Index>(y.size()) == orthonormal_.rows(), "a value a place");
    const Eigen::Map<const Eigen::VectorXd> values(y.data(), orthonormal_.rows());
    const Eigen::VectorXd coefficients = orthonormal_.transpose() * values;
    const double residual = (values - orthonormal_ * coefficients).squaredNorm();
    const double explained = coefficients.tail(coefficients.size() - 1).squaredNorm();
    const auto parameters = static_cast<double>(coefficients.size());
    const double freedom = static_cast<double>(y.size()) - parameters;
    SplineFit result;
    result.coefficients.assign(coefficients.begin(), coefficients.end());
    result.residual_deviation = std::sqrt(residual / freedom);
    result.r_squared = explained / (explained + residual);
    result.f = explained / (parameters - 1) / (residual / freedom);
    result.p_value = residual > 0
                         ? cdf(complement(boost::math::fisher_f(parameters - 1, freedom), result.f))
                         : 0.0;
    return result;
}

SplineCurve SplineRegression::curve(const SplineFit& fit, std::span<const double> at) const {
    const Eigen::Map<const Eigen::VectorXd> coefficients(
        fit.coefficients.data(), static_cast<Eigen::Index>(fit.coefficients.size()));
    const boost::math::students_t t(static_cast<double>(orthonormal_.rows()) -
                                    static_cast<double>(coefficients.size()));
    const double factor = quantile(t, 0.5 + kConfidence / 2) * fit.residual_deviation;
    SplineCurve curve;
    for (const double x : at) {
        const Eigen::RowVectorXd row = basis(x) * to_orthonormal_;
        curve.value.push_back(row * coefficients);
        curve.half_width.push_back(factor * row.norm());
    }
    return curve;
}

}  // namespace smeta::stats
