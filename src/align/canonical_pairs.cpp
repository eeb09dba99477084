#include "canonical_pairs.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Cholesky>
#include <Eigen/SVD>

namespace smeta::align::detail {

namespace {

constexpr double kRidge = 0.02;  // of the mean variance of the channels
constexpr double kLargestCorrelation = 0.97;

}  // namespace

MatchedMoments::MatchedMoments(Eigen::Index channels_x, Eigen::Index channels_y)
    : x(Eigen::VectorXd::Zero(channels_x)),
      y(Eigen::VectorXd::Zero(channels_y)),
      xx(Eigen::MatrixXd::Zero(channels_x, channels_x)),
      yy(Eigen::MatrixXd::Zero(channels_y, channels_y)),
      xy(Eigen::MatrixXd::Zero(channels_x, channels_y)) {}

void MatchedMoments::add(const float* a, const float* b, double w) {
    weight += w;
    for (Eigen::Index i = 0; i < x.size(); ++i) {
        const double wa = w * a[i];
        x[i] += wa;
        for (Eigen::Index j = 0; j <= i; ++j) xx(i, j) += wa * a[j];
        for (Eigen::Index j = 0; j < y.size(); ++j) xy(i, j) += wa * b[j];
    }
    for (Eigen::Index i = 0; i < y.size(); ++i) {
        const double wb = w * b[i];
        y[i] += wb;
        for (Eigen::Index j = 0; j <= i; ++j) yy(i, j) += wb * b[j];
    }
}

double CanonicalPairs::information() const {
    double sum = 0;
    for (const double r : correlation) sum -= 0.5 * std::log1p(-r * r);
    return sum;
}

CanonicalPairs canonical_pairs(const MatchedMoments& moments) {
    CanonicalPairs pairs;
    if (moments.x.size() == 0 || moments.y.size() == 0 || !(moments.weight > 10)) return pairs;
    pairs.x_mean = moments.x / moments.weight;
    pairs.y_mean = moments.y / moments.weight;
    const auto covariance = [&](const Eigen::MatrixXd& lower, const Eigen::VectorXd& mean) {
        Eigen::MatrixXd full = lower.selfadjointView<Eigen::Lower>();
        full = full / moments.weight - mean * mean.transpose();
        full.diagonal().array() += kRidge * full.diagonal().mean() + 1e-9;
        return full;
    };
    const Eigen::LLT<Eigen::MatrixXd> x(covariance(moments.xx, pairs.x_mean));
    const Eigen::LLT<Eigen::MatrixXd> y(covariance(moments.yy, pairs.y_mean));
    Eigen::MatrixXd cross = moments.xy / moments.weight - pairs.x_mean * pairs.y_mean.transpose();
    x.matrixL().solveInPlace(cross);
    Eigen::MatrixXd turned = cross.transpose();
    y.matrixL().solveInPlace(turned);
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(turned.transpose(),
                                                Eigen::ComputeThinU | Eigen::ComputeThinV);
    pairs.x_map = svd.matrixU();
    pairs.y_map = svd.matrixV();
    x.matrixU().solveInPlace(pairs.x_map);
    y.matrixU().solveInPlace(pairs.y_map);
    pairs.correlation = svd.singularValues().cwiseMin(kLargestCorrelation);
    return pairs;
}

}  // namespace smeta::align::detail
