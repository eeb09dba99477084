#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "smeta/analysis/run_values.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/stats/spline.hpp"

namespace smeta::analysis {

/// A path on one sample of a run and the spots along it; the same on every rank.
struct Trajectory {
    std::string name;
    std::string sample;
    core::MatrixD line;            ///< vertices by (x, y)
    double length = 0;             ///< of the line
    double width = 0;              ///< largest distance of a spot
    std::vector<double> along;     ///< of every spot of the sample; NaN: not on the path
    std::vector<double> distance;  ///< the same
    /// Spots on the path.
    std::int64_t spots() const;
};

/// The spots of a sample's results within `width` of a line on either side; those past its ends are
/// not on it. `width` 0: twice the spots' spacing. ConfigError where fewer than ten spots are on
/// it. Collective.
Trajectory follow_path(const comm::Comm& comm, const atlas::Run& run, const std::string& name,
                       const std::string& sample, const core::MatrixD& line, double width);

/// Stores the numeric obs columns position_NAME and distance_NAME (NaN off the path) in the
/// sample's results. Collective.
void store_trajectory(const comm::Comm& comm, const atlas::Run& run, const Trajectory& trajectory);

struct TrajectoryOptions {
    std::int32_t knots = 5;
    std::int64_t memory = std::int64_t{1} << 30U;  ///< bytes that the values may take on this rank
};

inline constexpr std::int32_t kMostKnots = 10;

/// One feature along a path, on log-normalised values (see RunValues).
struct Gradient {
    std::int32_t feature = 0;
    double mean = 0;
    double fraction = 0;  ///< of spots above 0
    double rho = 0;       ///< Spearman, with the position
    double rho_p_value =
        1;  ///< two-sided, t with n - 2 degrees of freedom, as scipy.stats.spearmanr
    double rho_adjusted_p = 1;
    double r_squared = 0;  ///< of the curve
    double f = 0;          ///< curve against a constant
    double p_value = 1;
    double adjusted_p = 1;  ///< Benjamini-Hochberg over the features of a modality; so rho's
    double peak = 0;        ///< position of the curve's maximum, unit of the coordinates
    double low = 0;         ///< smallest and largest value of the curve
    double high = 0;
    double residual_deviation = 0;
    std::array<double, kMostKnots> coefficients{};  ///< of the curve
};

/// Where curves are looked at: evenly from the first spot to the last.
inline constexpr std::int32_t kCurvePoints = 101;
std::vector<double> curve_positions(const Trajectory& trajectory);
/// The regression on the positions of the path's spots. ConfigError as SplineRegression.
stats::SplineRegression path_regression(const Trajectory& trajectory, std::int32_t knots);
/// The curve of a gradient at curve_positions.
stats::SplineCurve curve_of(const stats::SplineRegression& regression, const Gradient& gradient,
                            const std::vector<double>& positions);

/// Every feature that the sample measured and that is not constant along the path. `values`: of the
/// trajectory's sample alone. By modality and falling f; the same numbers on any number of ranks
/// and threads; all on rank 0, nothing elsewhere. Collective.
std::vector<Gradient> find_gradients(const comm::Comm& comm, const RunValues& values,
                                     const Trajectory& trajectory,
                                     const TrajectoryOptions& options);

/// The gradients of one path.
struct PathGradients {
    Trajectory trajectory;
    ValueFeatures features;
    std::vector<Gradient> gradients;
};
/// Columns sample, path, modality, feature, spots and those of Gradient.
std::string gradients_tsv(const std::vector<PathGradients>& paths);
/// The curves of the first `top` features of each modality: columns sample, path, modality,
/// feature, position, value, lower, upper.
std::string curves_tsv(const std::vector<PathGradients>& paths, std::int32_t knots,
                       std::int64_t top);
/// Positions in `gradients` of the first `top` features of each modality.
std::vector<std::size_t> top_gradients(const PathGradients& path, std::int64_t top);

}  // namespace smeta::analysis
