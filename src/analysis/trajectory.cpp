#include "smeta/analysis/trajectory.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>
#include <tuple>

#include <fmt/format.h>

#include "smeta/analysis/coordinates.hpp"
#include "smeta/analysis/network.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/tsv.hpp"
#include "smeta/spatial/path.hpp"
#include "smeta/stats/correlation.hpp"
#include "smeta/stats/tests.hpp"

#include "feature_columns.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kFewestSpots = 10;

/// Positions of the spots on the path, in the order of rows.
std::vector<double> path_positions(const Trajectory& trajectory) {
    std::vector<double> positions;
    for (const double along : trajectory.along)
        if (!std::isnan(along)) positions.push_back(along);
    return positions;
}

void place_spots(const core::MatrixD& points, Trajectory& trajectory) {
    const spatial::Path path(trajectory.line);
    trajectory.length = path.length();
    if (!(trajectory.width > 0)) trajectory.width = 2 * spot_spacing(points);
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        const auto place = path.place(points(r, 0), points(r, 1));
        const bool is_on = !place.beyond && place.distance <= trajectory.width;
        trajectory.along.push_back(is_on ? place.along : kNaN);
        trajectory.distance.push_back(is_on ? place.distance : kNaN);
    }
}

/// The tests of one feature after the other; one object a thread.
class GradientTests {
  public:
    GradientTests(const stats::SplineRegression& regression, const std::vector<double>& ranks,
                  const std::vector<double>& at)
        : regression_(regression), ranks_(ranks), at_(at), y_(ranks.size()) {}

    /// Adds the gradient of a feature unless it is constant.
    void run(const detail::FeatureColumn& column, std::vector<Gradient>& found) {
        std::fill(y_.begin(), y_.end(), 0.0);
        std::int64_t positive = 0;
        for (const auto& entry : column.values) {
            y_[entry.group] = entry.value;
            positive += entry.value > 0 ? 1 : 0;
        }
        if (std::all_of(y_.begin(), y_.end(), [&](double y) { return y == y_.front(); })) return;
        const auto fit = regression_.fit(y_);
        const auto curve = regression_.curve(fit, at_);
        const auto peak = std::max_element(curve.value.begin(), curve.value.end());
        const auto count = static_cast<double>(y_.size());
        Gradient gradient{.feature = column.feature};
        for (const double y : y_) gradient.mean += y / count;
        gradient.fraction = static_cast<double>(positive) / count;
        gradient.rho = stats::pearson(ranks_, stats::midranks(y_));
        gradient.rho_p_value =
            stats::pearson_p_value(gradient.rho, static_cast<std::int64_t>(y_.size()));
        gradient.r_squared = fit.r_squared;
        gradient.f = fit.f;
        gradient.p_value = fit.p_value;
        gradient.peak = at_[static_cast<std::size_t>(peak - curve.value.begin())];
        gradient.high = *peak;
        gradient.low = *std::min_element(curve.value.begin(), curve.value.end());
        gradient.residual_deviation = fit.residual_deviation;
        std::copy(fit.coefficients.begin(), fit.coefficients.end(), gradient.coefficients.begin());
        found.push_back(gradient);
    }

  private:
    const stats::SplineRegression& regression_;
    const std::vector<double>& ranks_;
    const std::vector<double>& at_;
    std::vector<double> y_;
};

/// Order of the table; adjusts the p-values of each modality.
void sort_and_adjust(std::vector<Gradient>& gradients, const ValueFeatures& features) {
    const auto modality = [&](const Gradient& g) { return features.modality[g.feature]; };
    std::sort(gradients.begin(), gradients.end(), [&](const Gradient& a, const Gradient& b) {
        return std::make_tuple(modality(a), -a.f, a.feature) <
               std::make_tuple(modality(b), -b.f, b.feature);
    });
    for (std::size_t first = 0; first < gradients.size();) {
        std::size_t last = first;
        std::vector<double> curve;
        std::vector<double> rank;
        for (; last < gradients.size() && modality(gradients[last]) == modality(gradients[first]);
             ++last) {
            curve.push_back(gradients[last].p_value);
            rank.push_back(gradients[last].rho_p_value);
        }
        const auto curve_adjusted = stats::benjamini_hochberg(curve);
        const auto rank_adjusted = stats::benjamini_hochberg(rank);
        for (auto i = first; i < last; ++i) {
            gradients[i].adjusted_p = curve_adjusted[i - first];
            gradients[i].rho_adjusted_p = rank_adjusted[i - first];
        }
        first = last;
    }
}

}  // namespace

std::int64_t Trajectory::spots() const {
    return std::count_if(along.begin(), along.end(), [](double a) { return !std::isnan(a); });
}

Trajectory follow_path(const comm::Comm& comm, const atlas::Run& run, const std::string& name,
                       const std::string& sample, const core::MatrixD& line, double width) {
    Trajectory trajectory{name, sample, line, 0, width, {}, {}};
    comm.root_or_throw([&] {
        const auto points = positions_in(run.read_result(sample), run.result_file(sample).string());
        place_spots(points, trajectory);
        if (trajectory.spots() < kFewestSpots)
            throw core::ConfigError(fmt::format(
                "path '{}' has {} spots of '{}' within {:g} of it and needs {}: give a larger "
                "--width, or vertices in the spots' coordinates, x {:g} ... {:g}, y {:g} ... {:g}",
                name, trajectory.spots(), sample, trajectory.width, kFewestSpots,
                points.col(0).minCoeff(), points.col(0).maxCoeff(), points.col(1).minCoeff(),
                points.col(1).maxCoeff()));
    });
    comm.broadcast(trajectory.length);
    comm.broadcast(trajectory.width);
    comm.broadcast(trajectory.along);
    comm.broadcast(trajectory.distance);
    return trajectory;
}

void store_trajectory(const comm::Comm& comm, const atlas::Run& run, const Trajectory& trajectory) {
    comm.root_or_throw([&] {
        run.update_result(trajectory.sample, [&](io::AnnData& result) {
            result.obs.set("position_" + trajectory.name, trajectory.along);
            result.obs.set("distance_" + trajectory.name, trajectory.distance);
        });
    });
}

std::vector<double> curve_positions(const Trajectory& trajectory) {
    const auto positions = path_positions(trajectory);
    const auto [low, high] = std::minmax_element(positions.begin(), positions.end());
    std::vector<double> at;
    for (std::int32_t i = 0; i < kCurvePoints; ++i)
        at.push_back(*low + (*high - *low) * i / (kCurvePoints - 1));
    return at;
}

stats::SplineRegression path_regression(const Trajectory& trajectory, std::int32_t knots) {
    core::check(knots <= kMostKnots, "gradients have room for the knots");
    return {path_positions(trajectory), knots};
}

stats::SplineCurve curve_of(const stats::SplineRegression& regression, const Gradient& gradient,
                            const std::vector<double>& positions) {
    stats::SplineFit fit;
    const auto parameters = static_cast<std::ptrdiff_t>(regression.knots().size());
    fit.coefficients.assign(gradient.coefficients.begin(),
                            gradient.coefficients.begin() + parameters);
    fit.residual_deviation = gradient.residual_deviation;
    return regression.curve(fit, positions);
}

std::vector<Gradient> find_gradients(const comm::Comm& comm, const RunValues& values,
                                     const Trajectory& trajectory,
                                     const TrajectoryOptions& options) {
    core::check(values.rows() == static_cast<std::int64_t>(trajectory.along.size()),
                "values of the path's sample");
    std::vector<std::int32_t> cells;
    std::int32_t next = 0;
    for (const double along : trajectory.along) cells.push_back(std::isnan(along) ? -1 : next++);
    const auto regression = path_regression(trajectory, options.knots);
    const auto ranks = stats::midranks(path_positions(trajectory));
    const auto at = curve_positions(trajectory);
    const detail::FeatureColumns columns(comm, values, cells, options.memory);
    std::vector<Gradient> mine;
    for (std::int32_t panel = 0; panel < columns.panels(); ++panel) {
        const auto features = columns.read(panel);
        std::vector<std::vector<Gradient>> found(features.size());
#pragma omp parallel num_threads(core::threads())
        {
            GradientTests tests(regression, ranks, at);
#pragma omp for schedule(dynamic, 4)
            for (std::size_t f = 0; f < features.size(); ++f) tests.run(features[f], found[f]);
        }
        for (const auto& part : found) mine.insert(mine.end(), part.begin(), part.end());
    }
    std::vector<Gradient> gradients;
    for (const auto& part : comm.gather(std::span<const Gradient>(mine)))
        gradients.insert(gradients.end(), part.begin(), part.end());
    sort_and_adjust(gradients, values.features());
    return gradients;
}

std::string gradients_tsv(const std::vector<PathGradients>& paths) {
    io::TsvText table({"sample", "path", "modality", "feature", "spots", "mean", "fraction", "rho",
                       "rho_p_value", "rho_adjusted_p", "r_squared", "f", "p_value", "adjusted_p",
                       "peak", "low", "high"});
    for (const auto& path : paths)
        for (const auto& g : path.gradients)
            table.row(path.trajectory.sample, path.trajectory.name,
                      path.features.modalities[path.features.modality[g.feature]],
                      path.features.names[g.feature], path.trajectory.spots(), g.mean, g.fraction,
                      g.rho, g.rho_p_value, g.rho_adjusted_p, g.r_squared, g.f, g.p_value,
                      g.adjusted_p, g.peak, g.low, g.high);
    return table.text();
}

std::vector<std::size_t> top_gradients(const PathGradients& path, std::int64_t top) {
    std::vector<std::size_t> best;
    std::map<std::int32_t, std::int64_t> count;
    for (std::size_t i = 0; i < path.gradients.size(); ++i)
        if (count[path.features.modality[path.gradients[i].feature]]++ < top) best.push_back(i);
    return best;
}

std::string curves_tsv(const std::vector<PathGradients>& paths, std::int32_t knots,
                       std::int64_t top) {
    io::TsvText table(
        {"sample", "path", "modality", "feature", "position", "value", "lower", "upper"});
    for (const auto& path : paths) {
        const auto regression = path_regression(path.trajectory, knots);
        const auto at = curve_positions(path.trajectory);
        for (const auto i : top_gradients(path, top)) {
            const auto& g = path.gradients[i];
            const auto curve = curve_of(regression, g, at);
            for (std::size_t p = 0; p < at.size(); ++p)
                table.row(path.trajectory.sample, path.trajectory.name,
                          path.features.modalities[path.features.modality[g.feature]],
                          path.features.names[g.feature], at[p], curve.value[p],
                          curve.value[p] - curve.half_width[p],
                          curve.value[p] + curve.half_width[p]);
        }
    }
    return table.text();
}

}  // namespace smeta::analysis
