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

void FeatureCorrelation::add(const FeatureCorrelation& other) {
    if (other.rows_ == 0) return;
    const auto mine = static_cast<double>(rows_);
    const auto theirs = static_cast<double>(other.rows_);
    const double share = theirs / (mine + theirs);
    for (std::size_t f = 0; f < mean_x_.size(); ++f) {
        const double dx = other.mean_x_[f] - mean_x_[f];
        const double dy = other.mean_y_[f] - mean_y_[f];
        mean_x_[f] += dx * share;
        mean_y_[f] += dy * share;
        xx_[f] += other.xx_[f] + dx * dx * mine * share;
        yy_[f] += other.yy_[f] + dy * dy * mine * share;
        xy_[f] += other.xy_[f] + dx * dy * mine * share;
    }
    rows_ += other.rows_;
}

double FeatureCorrelation::cosine(std::int64_t feature) const {
    const auto n = static_cast<double>(rows_);
    const double x = mean_x_[feature];
    const double y = mean_y_[feature];
    return ratio(xx_[feature] + n * x * x, yy_[feature] + n * y * y, xy_[feature] + n * x * y);
}

std::vector<double> FeatureCorrelation::packed() const {
    std::vector<double> numbers{static_cast<double>(rows_)};
    for (const auto* part : {&mean_x_, &mean_y_, &xx_, &yy_, &xy_})
        numbers.insert(numbers.end(), part->begin(), part->end());
    return numbers;
}

FeatureCorrelation FeatureCorrelation::unpacked(std::span<const double> numbers) {
    const auto features = static_cast<std::int64_t>(numbers.size() - 1) / 5;
    FeatureCorrelation result(features);
    result.rows_ = static_cast<std::int64_t>(numbers[0]);
    auto from = numbers.begin() + 1;
    for (auto* part : {&result.mean_x_, &result.mean_y_, &result.xx_, &result.yy_, &result.xy_})
        for (auto& value : *part) value = *from++;
    return result;
}

double FeatureCorrelation::pearson(std::int64_t feature) const {
    return ratio(xx_[feature], yy_[feature], xy_[feature]);
}

FitInfluence::FitInfluence(const FeatureCorrelation& correlation,
                           std::span<const std::uint8_t> measured) {
    const auto rows = static_cast<double>(correlation.rows());
    const auto per_root_mean = [&](double sum) { return sum > 0 ? std::sqrt(rows / sum) : 0.0; };
    const auto or_zero = [](double value) { return std::isnan(value) ? 0.0 : value; };
    for (std::size_t f = 0; f < measured.size(); ++f) {
        const auto position = static_cast<std::int64_t>(f);
        if (measured[f] == 0 || correlation.is_constant(position)) continue;
        const auto m = correlation.moments(position);
        features_.push_back({.position = position,
                             .mean_x = m.mean_x,
                             .mean_y = m.mean_y,
                             .per_sd_x = per_root_mean(m.xx),
                             .per_sd_y = per_root_mean(m.yy),
                             .pearson = or_zero(correlation.pearson(position)),
                             .per_rms_x = per_root_mean(m.xx + rows * m.mean_x * m.mean_x),
                             .per_rms_y = per_root_mean(m.yy + rows * m.mean_y * m.mean_y),
                             .cosine = or_zero(correlation.cosine(position))});
    }
}

FitInfluence::OfRow FitInfluence::of_row(std::span<const double> observed,
                                         std::span<const float> predicted) const {
    OfRow sum;
    // d(xy / sqrt(xx yy)) for a row of weight 1 more, x and y over their spread.
    const auto change = [](double x, double y, double value) {
        return x * y - value * (x * x + y * y) / 2;
    };
    for (const auto& feature : features_) {
        const double x = observed[feature.position];
        const double y = predicted[feature.position];
        sum.pearson += change((x - feature.mean_x) * feature.per_sd_x,
                              (y - feature.mean_y) * feature.per_sd_y, feature.pearson);
        sum.cosine += change(x * feature.per_rms_x, y * feature.per_rms_y, feature.cosine);
    }
    const auto count = std::max<double>(1, static_cast<double>(features_.size()));
    return {sum.pearson / count, sum.cosine / count};
}

}  // namespace smeta::model
