#pragma once

#include <vector>

#include <Eigen/Core>

namespace smeta::align::detail {

/// Sums over matched places of two sets of channels, x (SM) and y (ST).
struct MatchedMoments {
    double weight = 0;
    Eigen::VectorXd x;
    Eigen::VectorXd y;
    Eigen::MatrixXd xx;
    Eigen::MatrixXd yy;
    Eigen::MatrixXd xy;

    MatchedMoments(Eigen::Index channels_x, Eigen::Index channels_y);
    void add(const float* a, const float* b, double w);
};

/// Canonical pairs: channels turned into uncorrelated ones of variance 1, of which the k-th of both
/// sets correlate by correlation[k], descending (Hotelling 1936), with a small ridge. Empty when
/// there is too little.
struct CanonicalPairs {
    Eigen::VectorXd x_mean;
    Eigen::VectorXd y_mean;
    Eigen::MatrixXd x_map;  ///< channels by pairs
    Eigen::MatrixXd y_map;
    Eigen::VectorXd correlation;

    /// Nats a place: -1/2 sum log(1 - r^2).
    double information() const;
};

CanonicalPairs canonical_pairs(const MatchedMoments& moments);

}  // namespace smeta::align::detail
