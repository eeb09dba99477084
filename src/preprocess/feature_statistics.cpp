#include <algorithm>
#include <cmath>

#include "smeta/core/error.hpp"
#include "smeta/preprocess/select.hpp"
#include "smeta/spatial/autocorrelation.hpp"

namespace smeta::preprocess {

namespace {

// Factor of each row that brings its sum to 1e4; rows without values keep theirs. Features ascend,
// so the sums do not depend on threads.
std::vector<double> row_factors(const core::CsrView& features_by_rows) {
    std::vector<double> sums(features_by_rows.cols, 0.0);
    for (std::size_t k = 0; k < features_by_rows.indices.size(); ++k)
        sums[features_by_rows.indices[k]] += features_by_rows.values[k];
    for (double& sum : sums) sum = sum > 0.0 ? kNormalisedTotal / sum : 1.0;
    return sums;
}

}  // namespace

std::vector<FeatureStatistics> feature_statistics(std::string_view modality,
                                                  const core::CsrView& features_by_rows,
                                                  const spatial::SpatialGraph& graph) {
    const std::int64_t n = features_by_rows.cols;
    core::check(graph.rows == n, "the graph has the sample's rows");
    const bool st = modality == "st";
    const bool normalised = st || modality == "sm";
    const spatial::Autocorrelation autocorrelation(graph);
    const std::vector<double> factors =
        normalised ? row_factors(features_by_rows) : std::vector<double>(n, 1.0);
    std::vector<FeatureStatistics> result(features_by_rows.rows);
#pragma omp parallel
    {
        std::vector<double> scratch;
        std::vector<double> scaled;
        std::vector<double> logs;
#pragma omp for schedule(dynamic, 64)
        for (std::int64_t f = 0; f < features_by_rows.rows; ++f) {
            const auto rows = features_by_rows.row_indices(f);
            const auto values = features_by_rows.row_values(f);
            scaled.resize(rows.size());
            logs.resize(rows.size());
            std::int64_t positive = 0;
            for (std::size_t k = 0; k < rows.size(); ++k) {
                scaled[k] = values[k] * factors[rows[k]];
                logs[k] = normalised ? std::log1p(std::max(0.0, scaled[k])) : 0.0;
                positive += values[k] > 0.0F ? 1 : 0;
            }
            FeatureStatistics& statistics = result[f];
            statistics.morans_i = autocorrelation.morans_i(rows, st ? logs : scaled, scratch);
            if (normalised) statistics.log_values = stats::moments_with_zeros(logs, n);
            if (n > 0)
                statistics.positive_fraction =
                    static_cast<double>(positive) / static_cast<double>(n);
        }
    }
    return result;
}

}  // namespace smeta::preprocess
