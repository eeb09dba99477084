#include "fit.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace smeta::model {

namespace {

double ratio(double xx, double yy, double xy) {
    return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : std::numeric_limits<double>::quiet_NaN();
}

double log1p_of(double value) {
    return std::log1p(std::max(0.0, value));
}

}  // namespace

double fit_of_row(std::span<const std::int32_t> columns, std::span<const float> values,
                  std::span<const float> reconstruction, std::span<const std::uint8_t> measured) {
    std::vector<double> x(reconstruction.size(), 0.0);
    for (std::size_t i = 0; i < columns.size(); ++i) x[columns[i]] = log1p_of(values[i]);
    const auto counts = [&](std::size_t f) { return measured.empty() || measured[f] != 0; };
    double n = 0;
    double sum_x = 0;
    double sum_y = 0;
    std::vector<double> y(reconstruction.size());
    for (std::size_t f = 0; f < x.size(); ++f) {
        if (!counts(f)) continue;
        y[f] = log1p_of(reconstruction[f]);
        n += 1;
        sum_x += x[f];
        sum_y += y[f];
    }
    double xx = 0;
    double yy = 0;
    double xy = 0;
    for (std::size_t f = 0; f < x.size(); ++f) {
        if (!counts(f)) continue;
        const double dx = x[f] - sum_x / n;
        const double dy = y[f] - sum_y / n;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    return ratio(xx, yy, xy);
}

void FeatureCorrelation::add(std::span<const double> observed, std::span<const float> predicted) {
    ++rows_;
    for (std::size_t f = 0; f < observed.size(); ++f) {
        const double dx = observed[f] - mean_x_[f];
        const double dy = predicted[f] - mean_y_[f];
        mean_x_[f] += dx / static_cast<double>(rows_);
        mean_y_[f] += dy / static_cast<double>(rows_);
        xx_[f] += dx * (observed[f] - mean_x_[f]);
        yy_[f] += dy * (predicted[f] - mean_y_[f]);
        xy_[f] += dx * (predicted[f] - mean_y_[f]);
    }
}

double FeatureCorrelation::pearson(std::int64_t feature) const {
    return ratio(xx_[feature], yy_[feature], xy_[feature]);
}

}  // namespace smeta::model
