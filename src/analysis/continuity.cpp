#include "smeta/analysis/continuity.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "smeta/analysis/batch_scores.hpp"
#include "smeta/core/error.hpp"
#include "smeta/spatial/knn.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kMostOthers = 5;

/// Each coordinate with mean 0 and population standard deviation 1 (0 where it is constant).
core::MatrixD standardised(const core::MatrixD& position) {
    core::MatrixD result = position;
    for (Eigen::Index c = 0; c < result.cols(); ++c) {
        auto column = result.col(c).array();
        column -= column.mean();
        const double deviation = std::sqrt(column.square().mean());
        if (deviation > 0) column /= deviation;
    }
    return result;
}

}  // namespace

std::vector<double> chaos_distances(const core::MatrixD& position,
                                    std::span<const std::int32_t> clusters) {
    core::check(static_cast<Eigen::Index>(clusters.size()) == position.rows(),
                "one cluster a spot");
    std::vector<double> result(clusters.size(), kNaN);
    const core::MatrixD scaled = standardised(position);
    std::vector<std::vector<std::int64_t>> members;
    for (std::size_t i = 0; i < clusters.size(); ++i) {
        if (clusters[i] < 0) continue;
        if (clusters[i] >= static_cast<std::int32_t>(members.size()))
            members.resize(clusters[i] + 1);
        members[clusters[i]].push_back(static_cast<std::int64_t>(i));
    }
    for (const auto& rows : members) {
        if (rows.size() <= 2) continue;
        const auto nearest = spatial::nearest_neighbours(select_rows(scaled, rows), 1);
        for (std::size_t i = 0; i < rows.size(); ++i) result[rows[i]] = nearest.distances[i];
    }
    return result;
}

std::vector<double> abnormal_spots(const core::MatrixD& position,
                                   std::span<const std::int32_t> clusters) {
    core::check(static_cast<Eigen::Index>(clusters.size()) == position.rows(),
                "one cluster a spot");
    const auto nearest = spatial::nearest_neighbours(position, kPasNeighbors);
    std::vector<double> result(clusters.size(), kNaN);
    for (std::size_t i = 0; i < clusters.size(); ++i) {
        if (clusters[i] < 0) continue;
        std::int64_t others = 0;
        for (const auto j : nearest.row_neighbours(static_cast<std::int64_t>(i)))
            others += clusters[j] != clusters[i];
        result[i] = others > kMostOthers ? 1 : 0;
    }
    return result;
}

double mean_of_known(std::span<const double> values) {
    double sum = 0;
    std::int64_t known = 0;
    for (const double v : values)
        if (!std::isnan(v)) {
            sum += v;
            ++known;
        }
    return known > 0 ? sum / static_cast<double>(known) : kNaN;
}

}  // namespace smeta::analysis
