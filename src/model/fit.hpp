#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::model {

/// Pearson's correlation of log(1 + value) with log(1 + reconstruction) over the features of one
/// row that `measured` (1 or 0 a feature; empty: all) names; negative numbers count as 0. NaN when
/// either is constant. `columns`, `values`: the row's values, 0 elsewhere. Local.
double fit_of_row(std::span<const std::int32_t> columns, std::span<const float> values,
                  std::span<const float> reconstruction, std::span<const std::uint8_t> measured);

/// Co-moments of observed and predicted values of every feature, row after row.
class FeatureCorrelation {
  public:
    explicit FeatureCorrelation(std::int64_t features)
        : mean_x_(features), mean_y_(features), xx_(features), yy_(features), xy_(features) {}

    /// One value a feature each.
    void add(std::span<const double> observed, std::span<const float> predicted);
    /// The rows of another one after these.
    void add(const FeatureCorrelation& other);
    std::int64_t rows() const { return rows_; }
    /// The observed values are.
    bool is_constant(std::int64_t feature) const { return !(xx_[feature] > 0); }
    /// NaN when either is constant.
    double pearson(std::int64_t feature) const;
    /// Of the angle between both; NaN when either is 0 everywhere.
    double cosine(std::int64_t feature) const;
    /// As numbers that travel, and back.
    std::vector<double> packed() const;
    static FeatureCorrelation unpacked(std::span<const double> numbers);

    struct Moments {
        double mean_x = 0;
        double mean_y = 0;
        double xx = 0;  ///< sums of products of deviations from the means
        double yy = 0;
        double xy = 0;
    };
    Moments moments(std::int64_t feature) const {
        return {mean_x_[feature], mean_y_[feature], xx_[feature], yy_[feature], xy_[feature]};
    }

  private:
    std::int64_t rows_ = 0;
    std::vector<double> mean_x_, mean_y_, xx_, yy_, xy_;
};

/// Influence functions (Hampel 1974) of the means of pearson and cosine over the features that
/// `measured` (1 or 0 a feature) names and whose observed values vary: where rows get other
/// weights, the mean changes by the weighted mean of the rows' influences, to first order. Their
/// plain mean is 0.
class FitInfluence {
  public:
    FitInfluence(const FeatureCorrelation& correlation, std::span<const std::uint8_t> measured);

    struct OfRow {
        double pearson = 0;
        double cosine = 0;
    };
    OfRow of_row(std::span<const double> observed, std::span<const float> predicted) const;

  private:
    /// 0 for what is constant or 0 everywhere, where the correlation counts as 0.
    struct Feature {
        std::int64_t position = 0;
        double mean_x = 0;
        double mean_y = 0;
        double per_sd_x = 0;
        double per_sd_y = 0;
        double pearson = 0;
        double per_rms_x = 0;
        double per_rms_y = 0;
        double cosine = 0;
    };
    std::vector<Feature> features_;
};

}  // namespace smeta::model
