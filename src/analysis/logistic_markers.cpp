#include "logistic_markers.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <tuple>

#include "smeta/core/log.hpp"
#include "smeta/stats/logistic.hpp"

#include "modality_rows.hpp"

namespace smeta::analysis::detail {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kTolerance = 1e-7;

using Key = std::tuple<std::int32_t, std::int32_t, std::int32_t>;  // sample, group, feature

/// Labels of the rows that one regression looks at, groups renumbered without gaps.
struct Scope {
    std::int32_t sample = -1;          ///< -1: all
    std::vector<std::int32_t> labels;  ///< of every row, -1: takes no part
    std::vector<std::int32_t> groups;  ///< that each label stands for
};

Scope make_scope(const RunValues& values, const Groups& groups, std::int64_t min_spots,
                 std::int32_t sample) {
    Scope scope{sample, std::vector<std::int32_t>(groups.codes.size(), -1), {}};
    const auto first = sample < 0 ? 0 : values.first_row()[sample];
    const auto last = sample < 0 ? values.rows() : values.first_row()[sample + 1];
    std::vector<std::int64_t> size(groups.count(), 0);
    for (auto row = first; row < last; ++row)
        if (groups.codes[row] >= 0) ++size[groups.codes[row]];
    std::vector<std::int32_t> label(groups.count(), -1);
    for (std::int32_t g = 0; g < groups.count(); ++g) {
        if (size[g] < min_spots) continue;
        label[g] = static_cast<std::int32_t>(scope.groups.size());
        scope.groups.push_back(g);
    }
    for (auto row = first; row < last; ++row)
        if (groups.codes[row] >= 0) scope.labels[row] = label[groups.codes[row]];
    return scope;
}

bool is_measured(const RunValues& values, std::int32_t sample, std::int32_t feature) {
    const auto column = values.features().is_measured.col(feature);
    return sample >= 0 ? column[sample] != 0 : column.minCoeff() != 0;
}

void log_fit(const std::string& modality, const std::string& where, const Scope& scope,
             const stats::LogisticModel& model, const std::vector<std::int32_t>& found) {
    std::int64_t right = 0;
    std::int64_t all = 0;
    for (std::size_t r = 0; r < found.size(); ++r) {
        if (scope.labels[r] < 0) continue;
        ++all;
        right += found[r] == scope.labels[r] ? 1 : 0;
    }
    core::log_info("logistic regression of {} in {}: finds the group of {:.2f} % of its {} spots",
                   modality, where, 100 * static_cast<double>(right) / static_cast<double>(all),
                   all);
    if (!model.converged)
        core::log_warning("logistic regression of {} in {} had not converged after {} steps",
                          modality, where, model.iterations);
}

}  // namespace

void score_by_regression(const comm::Comm& comm, const RunValues& values, const Groups& groups,
                         const MarkerOptions& options, std::vector<Marker>& markers) {
    const auto samples = static_cast<std::int32_t>(values.samples().size());
    const bool within = options.scope == MarkerScope::WithinSamples;
    std::map<Key, double> coefficient;
    for (std::size_t m = 0; m < values.features().modalities.size(); ++m) {
        const auto range = features_of(values.features(), static_cast<std::int32_t>(m));
        auto rows = own_modality_rows(comm, values, static_cast<std::int32_t>(m));
        for (std::int32_t s = within ? 0 : -1; s < (within ? samples : 0); ++s) {
            const auto scope = make_scope(values, groups, options.min_spots, s);
            if (scope.groups.size() < 2) continue;
            std::vector<std::int32_t> kept(range.last - range.first, -1);
            std::int32_t features = 0;
            for (auto f = range.first; f < range.last; ++f)
                if (is_measured(values, s, f)) kept[f - range.first] = features++;
            const auto own = core::select_columns(rows, kept, features);
            const stats::LogisticRegression regression(comm, values.rows(), own);
            const auto model =
                regression.fit(scope.labels, static_cast<std::int32_t>(scope.groups.size()),
                               {.loss = stats::LogisticLoss::Multinomial, .tolerance = kTolerance});
            const auto found = regression.predict(model);
            if (!comm.is_root()) continue;
            log_fit(values.features().modalities[m], s < 0 ? "all samples" : values.samples()[s],
                    scope, model, found);
            for (std::size_t g = 0; g < scope.groups.size(); ++g)
                for (auto f = range.first; f < range.last; ++f)
                    if (kept[f - range.first] >= 0)
                        coefficient[{s, scope.groups[g], f}] =
                            model.coefficients(static_cast<Eigen::Index>(g), kept[f - range.first]);
        }
    }
    std::erase_if(markers, [&](const Marker& marker) {
        return coefficient.count({marker.sample, marker.group, marker.feature}) == 0;
    });
    for (auto& marker : markers) {
        marker.score = coefficient.at({marker.sample, marker.group, marker.feature});
        marker.p_value = kNaN;
        marker.adjusted_p = kNaN;
    }
}

}  // namespace smeta::analysis::detail
