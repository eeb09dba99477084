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

  private:
    std::int64_t rows_ = 0;
    std::vector<double> mean_x_, mean_y_, xx_, yy_, xy_;
};

}  // namespace smeta::model
