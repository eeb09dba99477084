#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::stats {

/// Multinomial: softmax over the groups (scikit-learn's lbfgs). OneVsRest: one two-sided regression
/// a group (scikit-learn's liblinear). With two groups both are the one two-sided regression.
enum class LogisticLoss { Multinomial, OneVsRest };
/// Whether the intercept is drawn towards 0 as the coefficients are (liblinear) or not (lbfgs).
enum class Intercept { Free, Penalised };

struct LogisticOptions {
    LogisticLoss loss = LogisticLoss::Multinomial;
    Intercept intercept = Intercept::Free;
    double c = 1;  ///< weight of the losses beside half the sum of squared coefficients
    std::int64_t iterations = 1000;
    /// Converged when five iterations gain less than this share of the loss.
    double tolerance = 1e-8;
};

struct LogisticModel {
    core::MatrixD coefficients;  ///< groups x features; of two groups the first is minus the second
    std::vector<double> intercepts;  ///< of each group
    double loss = 0;                 ///< what was minimised
    std::int64_t iterations = 0;
    bool converged = false;
};

/// L2-penalised logistic regression on rows shared by ranks: C times the sum of the losses plus
/// half the sum of squared coefficients, minimised by L-BFGS from 0. The values are held twice, a
/// share of the rows and a share of the features on each rank, so that every sum has one order: the
/// same bits on any number of ranks and threads.
class LogisticRegression {
  public:
    /// `own`: rows even_share(all_rows) of this rank. Keeps a view. Collective.
    LogisticRegression(const comm::Comm& comm, std::int64_t all_rows, core::CsrView own);

    /// `labels` of all rows, from 0 to groups - 1 with groups >= 2; -1: takes no part. Every rank
    /// gets the model. Memory: three numbers a row and group, 18 a group and feature. Collective.
    LogisticModel fit(std::span<const std::int32_t> labels, std::int32_t groups,
                      const LogisticOptions& options) const;

    /// The group with the largest decision value (the lowest of equal ones) of every row, on every
    /// rank. Collective.
    std::vector<std::int32_t> predict(const LogisticModel& model) const;

  private:
    friend class LogisticObjective;

    const comm::Comm& comm_;
    std::int64_t all_rows_;
    core::CsrView rows_;
    core::CountsCsr columns_;  ///< this rank's share of the features x all rows
};

}  // namespace smeta::stats
