#include "replicate_measurer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace smeta::analysis::detail {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
/// A sum of squared deviations below this share of the squares is rounding.
constexpr double kConstant = 1e-12;

void add_counts(std::span<const std::uint8_t> counts, std::vector<double>& sums) {
    for (std::size_t r = 0; r < counts.size(); ++r) sums[r] += counts[r];
}

void add_scaled(std::span<const std::uint8_t> counts, double value, double* sums) {
    for (std::size_t r = 0; r < counts.size(); ++r) sums[r] += counts[r] * value;
}

}  // namespace

ReplicateMeasurer::ReplicateMeasurer(const std::vector<SectionClusters>& clusterings,
                                     const SpotDraws& draws)
    : clusterings_(clusterings), draws_(draws) {
    const Counts none(draws.replicates(), 0.0);
    for (const auto& clusters : clusterings) {
        Drawn drawn{.in_groups = none, .specific = none, .by_specific = {}, .spots = {}};
        for (std::size_t s = 0; s < clusters.codes.size(); ++s) {
            const auto counts = draws.of_spot(static_cast<std::int64_t>(s));
            if (clusters.codes[s] >= 0) {
                add_counts(counts, drawn.in_groups);
                drawn.spots.push_back(static_cast<std::int64_t>(s));
            }
            const auto group = clusters.specific[s];
            if (group < 0) continue;
            if (group >= static_cast<std::int32_t>(drawn.by_specific.size()))
                drawn.by_specific.resize(group + 1, none);
            add_counts(counts, drawn.specific);
            add_counts(counts, drawn.by_specific[group]);
        }
        drawn_.push_back(std::move(drawn));
    }
}

void ReplicateMeasurer::measure(std::size_t clustering, std::span<const SpotValue> values,
                                const FeatureStatistics& found, double information,
                                std::span<const double> terms, std::vector<float>& result) {
    add_autocorrelation(clustering, values, result);
    add_specificity(clustering, values, found.largest, result);
    add_information(clustering, information, terms, result);
}

void ReplicateMeasurer::add_autocorrelation(std::size_t clustering,
                                            std::span<const SpotValue> values,
                                            std::vector<float>& result) {
    const auto& clusters = clusterings_[clustering];
    const auto& graph = clusters.graph;
    const auto count = static_cast<std::size_t>(draws_.replicates());
    dense_.assign(graph.rows, 0.0);
    for (const auto& [spot, value] : values)
        if (clusters.place[spot] >= 0) dense_[clusters.place[spot]] = value;
    // Of x, x^2, x times the neighbours' mean, this mean, squared differences from neighbours.
    sums_.assign(5 * count, 0.0);
    double* x_sum = sums_.data();
    double* square_sum = x_sum + count;
    double* product_sum = square_sum + count;
    double* lag_sum = product_sum + count;
    double* difference_sum = lag_sum + count;
    for (std::int64_t i = 0; i < graph.rows; ++i) {
        const auto columns = graph.row_columns(i);
        const auto weights = graph.row_weights(i);
        const double x = dense_[i];
        double lag = 0;
        double difference = 0;
        for (std::size_t e = 0; e < columns.size(); ++e) {
            const double other = dense_[columns[e]];
            lag += weights[e] * other;
            difference += weights[e] * (x - other) * (x - other);
        }
        if (x == 0 && difference == 0) continue;
        const auto* drawn = draws_.of_spot(drawn_[clustering].spots[i]).data();
        for (std::size_t r = 0; r < count; ++r) {
            const double n = drawn[r];
            x_sum[r] += n * x;
            square_sum[r] += n * x * x;
            product_sum[r] += n * x * lag;
            lag_sum[r] += n * lag;
            difference_sum[r] += n * difference;
        }
    }
    const auto at = result.size();
    result.resize(at + 2 * count, kNaN);
    for (std::size_t r = 0; r < count; ++r) {
        // Rows of the graph add up to 1: the sum of all weights is the number of spots drawn.
        const double n = drawn_[clustering].in_groups[r];
        const double mean = x_sum[r] / n;
        const double squares = square_sum[r] - mean * x_sum[r];
        if (!(squares > kConstant * square_sum[r])) continue;
        result[at + r] = static_cast<float>((product_sum[r] - mean * lag_sum[r]) / squares);
        result[at + count + r] =
            static_cast<float>((n - 1) / n * difference_sum[r] / (2 * squares));
    }
}

void ReplicateMeasurer::add_specificity(std::size_t clustering, std::span<const SpotValue> values,
                                        std::int32_t largest, std::vector<float>& result) {
    const auto count = static_cast<std::size_t>(draws_.replicates());
    const auto& drawn = drawn_[clustering];
    const auto& groups = clusterings_[clustering].specific;
    if (largest < 0) {
        result.insert(result.end(), count, kNaN);
        return;
    }
    sums_.assign(2 * count, 0.0);
    for (const auto& [spot, value] : values) {
        if (groups[spot] < 0) continue;
        add_scaled(draws_.of_spot(spot), value, sums_.data());
        if (groups[spot] == largest) add_scaled(draws_.of_spot(spot), value, sums_.data() + count);
    }
    for (std::size_t r = 0; r < count; ++r) {
        const double mean = sums_[r] / drawn.specific[r];
        const double inside = sums_[count + r] / drawn.by_specific[largest][r];
        result.push_back(mean > 0 ? static_cast<float>(inside / mean) : kNaN);
    }
}

void ReplicateMeasurer::add_information(std::size_t clustering, double information,
                                        std::span<const double> terms, std::vector<float>& result) {
    const auto count = static_cast<std::size_t>(draws_.replicates());
    if (!(information > 0)) {  // 0 in place of a negative estimate, or none
        result.insert(result.end(), count, static_cast<float>(information));
        return;
    }
    sums_.assign(count, 0.0);
    for (std::size_t spot = 0; spot < terms.size(); ++spot)
        if (!std::isnan(terms[spot]))
            add_scaled(draws_.of_spot(static_cast<std::int64_t>(spot)), terms[spot], sums_.data());
    // Points that take part are those of clusters with two spots or more.
    for (std::size_t r = 0; r < count; ++r)
        result.push_back(static_cast<float>(sums_[r] / drawn_[clustering].in_groups[r]));
}

}  // namespace smeta::analysis::detail
