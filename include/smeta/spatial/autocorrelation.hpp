#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/spatial/graph.hpp"

namespace smeta::spatial {

/// Spatial autocorrelation of features on one graph (SpatialMETA's definitions: with z = x - mean
/// and W the sum of all weights, Moran's I = N/W sum w_ij z_i z_j / sum z_i^2 and Geary's C = (N-1)
/// sum w_ij (x_i - x_j)^2 / (2 W sum z_i^2)). NaN for a constant feature and for a graph without
/// edges. Keeps a reference to the graph. Const members may be called by many threads at once; a
/// result depends on its arguments alone. Local.
class Autocorrelation {
  public:
    explicit Autocorrelation(const SpatialGraph& graph);
    explicit Autocorrelation(SpatialGraph&&) = delete;

    double total_weight() const { return total_; }
    /// One value a spot.
    double morans_i(std::span<const double> values) const;
    double gearys_c(std::span<const double> values) const;
    /// A sparse feature: `values[k]` at spot `rows[k]` (ascending), 0 elsewhere. `scratch` is
    /// reused by consecutive calls of one thread: all zeros with one entry a spot on return. Cost:
    /// edges of the non-zero spots.
    double morans_i(std::span<const std::int32_t> rows, std::span<const double> values,
                    std::vector<double>& scratch) const;

  private:
    double dense_morans_i(std::span<const double> values, double mean) const;

    const SpatialGraph& graph_;
    std::vector<double> margins_;  ///< row sum plus column sum of each spot
    double total_ = 0.0;
};

}  // namespace smeta::spatial
