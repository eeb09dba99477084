#include "smeta/stats/logistic.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/stats/lbfgs.hpp"

namespace smeta::stats {
namespace {

using core::MatrixD;

struct Entry {
    std::int64_t row = 0;
    std::int32_t feature = 0;
    float value = 0;
};

int owner_of(std::int32_t feature, std::int32_t features, int ranks) {
    int rank = static_cast<int>(static_cast<std::int64_t>(feature) * ranks / features);
    while (feature < comm::even_share(features, ranks, rank).first) --rank;
    while (feature >= comm::even_share(features, ranks, rank).last) ++rank;
    return rank;
}

/// This rank's share of the features x all rows, rows ascending.
core::CountsCsr own_columns(const comm::Comm& comm, std::int64_t all_rows,
                            const core::CsrView& own) {
    if (comm.size() == 1) return core::transpose(own);
    const auto first_row = comm::even_share(all_rows, comm.size(), comm.rank()).first;
    std::vector<int> owner(own.cols);
    for (std::int32_t f = 0; f < own.cols; ++f) owner[f] = owner_of(f, own.cols, comm.size());
    std::vector<std::vector<Entry>> parcels(comm.size());
    for (std::int64_t r = 0; r < own.rows; ++r) {
        const auto indices = own.row_indices(r);
        const auto values = own.row_values(r);
        for (std::size_t e = 0; e < indices.size(); ++e)
            parcels[owner[indices[e]]].push_back({first_row + r, indices[e], values[e]});
    }
    const auto mine = comm::even_share(own.cols, comm.size(), comm.rank());
    core::CountsCsr columns;
    columns.rows = mine.size();
    columns.cols = static_cast<std::int32_t>(all_rows);
    columns.indptr.assign(mine.size() + 1, 0);
    const auto received = comm.alltoall(parcels);
    for (const auto& part : received)
        for (const auto& entry : part) ++columns.indptr[entry.feature - mine.first + 1];
    for (std::int64_t f = 0; f < mine.size(); ++f) columns.indptr[f + 1] += columns.indptr[f];
    columns.indices.resize(columns.indptr.back());
    columns.values.resize(columns.indptr.back());
    auto next = columns.indptr;
    for (const auto& part : received)
        for (const auto& entry : part) {
            const auto place = next[entry.feature - mine.first]++;
            columns.indices[place] = static_cast<std::int32_t>(entry.row);
            columns.values[place] = entry.value;
        }
    return columns;
}

/// Parts of all ranks one after the other. Collective.
std::vector<double> joined(const comm::Comm& comm, std::vector<double> mine) {
    if (comm.size() == 1) return mine;
    std::vector<double> all;
    for (const auto& part : comm.allgather(std::span<const double>(std::as_const(mine))))
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

/// log(1 + exp(x)) without overflow.
double softplus(double x) {
    return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double logistic(double x) {
    return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

/// Loss of one row; its decision values become the derivatives by them. `label`: a column, or the
/// number of columns for the first of two groups.
double row_loss(std::span<double> decisions, std::int32_t label, LogisticLoss loss) {
    const auto columns = static_cast<std::int32_t>(decisions.size());
    double sum = 0;
    if (loss == LogisticLoss::OneVsRest || columns == 1) {
        for (std::int32_t k = 0; k < columns; ++k) {
            sum += softplus(k == label ? -decisions[k] : decisions[k]);
            decisions[k] = logistic(decisions[k]) - (k == label ? 1 : 0);
        }
        return sum;
    }
    const double largest = *std::max_element(decisions.begin(), decisions.end());
    const double own = decisions[label] - largest;
    for (auto& d : decisions) sum += d = std::exp(d - largest);
    for (auto& d : decisions) d /= sum;
    decisions[label] -= 1;
    return std::log(sum) - own;
}

}  // namespace

/// The loss and its gradient by the coefficients (features x columns, then the intercepts).
class LogisticObjective {
  public:
    LogisticObjective(const LogisticRegression& data, std::span<const std::int32_t> labels,
                      std::int32_t groups, const LogisticOptions& options)
        : data_(data),
          labels_(labels),
          options_(options),
          columns_(groups == 2 ? 1 : groups),
          features_(data.rows_.cols) {}

    Eigen::Index size() const { return (Eigen::Index{features_} + 1) * columns_; }
    std::int32_t columns() const { return columns_; }

    double operator()(const Eigen::VectorXd& at, Eigen::VectorXd& gradient) const {
        const auto loss = own_losses(at);
        double sum = 0;
        for (const double row : joined(data_.comm_, loss.rows)) sum += row;
        const auto derivatives = joined(data_.comm_, loss.derivatives);
        const auto penalised =
            options_.intercept == Intercept::Penalised ? size() : size() - columns_;
        const auto by_features = joined(data_.comm_, own_gradient(derivatives));
        std::copy(by_features.begin(), by_features.end(), gradient.data());
        auto intercepts = gradient.tail(columns_);
        intercepts.setZero();
        for (std::size_t at_row = 0; at_row < derivatives.size(); at_row += columns_)
            intercepts += Eigen::Map<const Eigen::VectorXd>(derivatives.data() + at_row, columns_);
        gradient *= options_.c;
        gradient.head(penalised) += at.head(penalised);
        return options_.c * sum + at.head(penalised).squaredNorm() / 2;
    }

    /// Decision values of this rank's rows, rows x columns.
    std::vector<double> decisions(const Eigen::VectorXd& at) const {
        const auto& rows = data_.rows_;
        std::vector<double> result(rows.rows * columns_);
#pragma omp parallel for schedule(static) num_threads(core::threads()) if (is_large())
        for (std::int64_t r = 0; r < rows.rows; ++r) {
            Eigen::Map<Eigen::VectorXd> row(result.data() + r * columns_, columns_);
            row = at.tail(columns_);
            const auto indices = rows.row_indices(r);
            const auto values = rows.row_values(r);
            for (std::size_t e = 0; e < indices.size(); ++e)
                row += static_cast<double>(values[e]) *
                       at.segment(Eigen::Index{indices[e]} * columns_, columns_);
        }
        return result;
    }

  private:
    /// Threads cost more than they save below.
    bool is_large() const {
        return data_.rows_.nnz() * columns_ > (std::int64_t{1} << 21U);
    }
    struct Losses {
        std::vector<double> rows;
        std::vector<double> derivatives;  ///< rows x columns
    };
    Losses own_losses(const Eigen::VectorXd& at) const {
        const auto first =
            comm::even_share(data_.all_rows_, data_.comm_.size(), data_.comm_.rank()).first;
        Losses losses;
        losses.derivatives = decisions(at);
        losses.rows.assign(data_.rows_.rows, 0.0);
#pragma omp parallel for schedule(static) num_threads(core::threads()) if (is_large())
        for (std::int64_t r = 0; r < data_.rows_.rows; ++r) {
            const auto row = std::span(losses.derivatives).subspan(r * columns_, columns_);
            const auto label = labels_[first + r];
            if (label < 0)
                std::fill(row.begin(), row.end(), 0.0);
            else
                losses.rows[r] = row_loss(row, columns_ == 1 ? 1 - label : label, options_.loss);
        }
        return losses;
    }
    std::vector<double> own_gradient(const std::vector<double>& derivatives) const {
        const auto columns = data_.columns_.view();
        std::vector<double> result(columns.rows * columns_, 0.0);
#pragma omp parallel for schedule(dynamic, 16) num_threads(core::threads()) if (is_large())
        for (std::int64_t f = 0; f < columns.rows; ++f) {
            Eigen::Map<Eigen::VectorXd> sum(result.data() + f * columns_, columns_);
            const auto rows = columns.row_indices(f);
            const auto values = columns.row_values(f);
            for (std::size_t e = 0; e < rows.size(); ++e)
                sum += static_cast<double>(values[e]) *
                       Eigen::Map<const Eigen::VectorXd>(
                           derivatives.data() + std::int64_t{rows[e]} * columns_, columns_);
        }
        return result;
    }

    const LogisticRegression& data_;
    std::span<const std::int32_t> labels_;
    const LogisticOptions& options_;
    std::int32_t columns_;
    std::int32_t features_;
};

LogisticRegression::LogisticRegression(const comm::Comm& comm, std::int64_t all_rows,
                                       core::CsrView own)
    : comm_(comm), all_rows_(all_rows), rows_(own), columns_(own_columns(comm, all_rows, own)) {
    core::check(own.rows == comm::even_share(all_rows, comm.size(), comm.rank()).size(),
                "a rank has an even share of the rows");
}

LogisticModel LogisticRegression::fit(std::span<const std::int32_t> labels, std::int32_t groups,
                                      const LogisticOptions& options) const {
    core::check(groups >= 2 && static_cast<std::int64_t>(labels.size()) == all_rows_,
                "two groups and one label a row");
    const LogisticObjective objective(*this, labels, groups, options);
    Eigen::VectorXd x = Eigen::VectorXd::Zero(objective.size());
    const auto found = minimise([&](const Eigen::VectorXd& at,
                                    Eigen::VectorXd& gradient) { return objective(at, gradient); },
                                x,
                                {.iterations = options.iterations,
                                 .memory = 8,
                                 .first_step = 0.1,
                                 .tolerance = options.tolerance});
    LogisticModel model;
    model.loss = found.value;
    model.iterations = found.iterations;
    model.converged = found.converged;
    const Eigen::Index columns = objective.columns();
    const MatrixD by_feature =
        Eigen::Map<const MatrixD>(x.data(), x.size() / columns, columns).transpose();
    MatrixD all(groups, by_feature.cols());
    if (columns == 1)
        all << -by_feature, by_feature;
    else
        all = by_feature;
    model.coefficients = all.leftCols(rows_.cols);
    for (std::int32_t g = 0; g < groups; ++g) model.intercepts.push_back(all(g, rows_.cols));
    return model;
}

std::vector<std::int32_t> LogisticRegression::predict(const LogisticModel& model) const {
    const auto groups = model.coefficients.rows();
    std::vector<std::int32_t> mine(rows_.rows);
    const MatrixD by_feature = model.coefficients.transpose();
#pragma omp parallel for schedule(static) num_threads(core::threads())
    for (std::int64_t r = 0; r < rows_.rows; ++r) {
        Eigen::RowVectorXd decisions =
            Eigen::Map<const Eigen::RowVectorXd>(model.intercepts.data(), groups);
        const auto indices = rows_.row_indices(r);
        const auto values = rows_.row_values(r);
        for (std::size_t e = 0; e < indices.size(); ++e)
            decisions += static_cast<double>(values[e]) * by_feature.row(indices[e]);
        Eigen::Index best = 0;
        decisions.maxCoeff(&best);
        mine[r] = static_cast<std::int32_t>(best);
    }
    std::vector<std::int32_t> all;
    for (const auto& part : comm_.allgather(std::span<const std::int32_t>(std::as_const(mine))))
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

}  // namespace smeta::stats
