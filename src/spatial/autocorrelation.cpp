#include "smeta/spatial/autocorrelation.hpp"

#include <algorithm>
#include <limits>

#include "smeta/core/error.hpp"

namespace smeta::spatial {

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double mean_of(std::span<const double> values) {
    double sum = 0.0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
}

bool is_constant(std::span<const double> values) {
    return std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
}

double squared_deviations(std::span<const double> values, double mean) {
    double sum = 0.0;
    for (const double value : values) sum += (value - mean) * (value - mean);
    return sum;
}

}  // namespace

Autocorrelation::Autocorrelation(const SpatialGraph& graph)
    : graph_(graph), margins_(graph.rows, 0.0) {
    for (std::int64_t i = 0; i < graph.rows; ++i) {
        const auto columns = graph.row_columns(i);
        const auto weights = graph.row_weights(i);
        for (std::size_t e = 0; e < columns.size(); ++e) {
            margins_[i] += weights[e];
            margins_[columns[e]] += weights[e];
            total_ += weights[e];
        }
    }
}

double Autocorrelation::dense_morans_i(std::span<const double> values, double mean) const {
    double cross = 0.0;
    for (std::int64_t i = 0; i < graph_.rows; ++i) {
        const auto columns = graph_.row_columns(i);
        const auto weights = graph_.row_weights(i);
        double lagged = 0.0;
        for (std::size_t e = 0; e < columns.size(); ++e)
            lagged += weights[e] * (values[columns[e]] - mean);
        cross += (values[i] - mean) * lagged;
    }
    return static_cast<double>(graph_.rows) / total_ * cross / squared_deviations(values, mean);
}

double Autocorrelation::morans_i(std::span<const double> values) const {
    core::check(static_cast<std::int64_t>(values.size()) == graph_.rows, "one value a spot");
    if (!(total_ > 0.0) || is_constant(values)) return kUndefined;
    return dense_morans_i(values, mean_of(values));
}

double Autocorrelation::gearys_c(std::span<const double> values) const {
    core::check(static_cast<std::int64_t>(values.size()) == graph_.rows, "one value a spot");
    if (!(total_ > 0.0) || is_constant(values)) return kUndefined;
    double cross = 0.0;
    for (std::int64_t i = 0; i < graph_.rows; ++i) {
        const auto columns = graph_.row_columns(i);
        const auto weights = graph_.row_weights(i);
        for (std::size_t e = 0; e < columns.size(); ++e) {
            const double difference = values[i] - values[columns[e]];
            cross += weights[e] * difference * difference;
        }
    }
    return static_cast<double>(graph_.rows - 1) * cross /
           (2.0 * total_ * squared_deviations(values, mean_of(values)));
}

double Autocorrelation::morans_i(std::span<const std::int32_t> rows, std::span<const double> values,
                                 std::vector<double>& scratch) const {
    core::check(rows.size() == values.size(), "one value a stored spot");
    const auto n = graph_.rows;
    const auto stored = static_cast<std::int64_t>(rows.size());
    if (!(total_ > 0.0) || stored == 0) return kUndefined;
    if (is_constant(values) && (stored == n || values[0] == 0.0)) return kUndefined;
    scratch.resize(n, 0.0);
    double sum = 0.0;
    for (std::int64_t k = 0; k < stored; ++k) {
        scratch[rows[k]] = values[k];
        sum += values[k];
    }
    const double mean = sum / static_cast<double>(n);
    double result = kUndefined;
    if (2 * stored > n) {
        result = dense_morans_i(scratch, mean);
    } else {
        // sum w (x_i - m)(x_j - m) = sum w x_i x_j - m sum x_i margin_i + m^2 W. At most half of
        // the entries are stored, so m^2 is below the variance and nothing cancels.
        double cross = 0.0;
        double weighted = 0.0;
        double squares = static_cast<double>(n - stored) * mean * mean;
        for (std::int64_t k = 0; k < stored; ++k) {
            const auto columns = graph_.row_columns(rows[k]);
            const auto weights = graph_.row_weights(rows[k]);
            double lagged = 0.0;
            for (std::size_t e = 0; e < columns.size(); ++e)
                lagged += weights[e] * scratch[columns[e]];
            cross += values[k] * lagged;
            weighted += values[k] * margins_[rows[k]];
            squares += (values[k] - mean) * (values[k] - mean);
        }
        cross += mean * (mean * total_ - weighted);
        result = static_cast<double>(n) / total_ * cross / squares;
    }
    for (const std::int32_t row : rows) scratch[row] = 0.0;
    return result;
}

}  // namespace smeta::spatial
