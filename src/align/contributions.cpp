#include "contributions.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "smeta/core/threads.hpp"
#include "smeta/spatial/knn.hpp"

namespace smeta::align::detail {

std::vector<std::int64_t> placed(const core::MatrixD& points) {
    std::vector<std::int64_t> rows;
    for (Eigen::Index r = 0; r < points.rows(); ++r)
        if (points.row(r).allFinite()) rows.push_back(r);
    return rows;
}

core::MatrixD select(const core::MatrixD& points, const std::vector<std::int64_t>& rows) {
    core::MatrixD result(static_cast<Eigen::Index>(rows.size()), 2);
    for (std::size_t i = 0; i < rows.size(); ++i)
        result.row(static_cast<Eigen::Index>(i)) = points.row(rows[i]).head(2);
    return result;
}

namespace {

/// A source and its weight.
struct Entry {
    std::int64_t source = 0;
    double weight = 1;
};

/// `entries` of the targets that have a place, which are `rows` of `targets`.
Contributions collect(const std::vector<std::vector<Entry>>& entries,
                      const std::vector<std::int64_t>& rows, std::int64_t targets) {
    Contributions result;
    std::size_t next = 0;
    for (std::int64_t target = 0; target < targets; ++target) {
        if (next < rows.size() && rows[next] == target)
            for (const Entry& entry : entries[next++]) {
                result.source.push_back(entry.source);
                result.weight.push_back(entry.weight);
            }
        result.start.push_back(static_cast<std::int64_t>(result.source.size()));
    }
    return result;
}

}  // namespace

Contributions nearest(const core::MatrixD& sources, const core::MatrixD& targets, std::int64_t k,
                      double radius) {
    const std::vector<std::int64_t> from = placed(sources);
    const std::vector<std::int64_t> to = placed(targets);
    const auto graph =
        spatial::nearest_points(spatial::PointIndex(select(sources, from)), select(targets, to), k);
    Contributions result;
    std::int64_t row = 0;
    for (std::int64_t target = 0; target < targets.rows(); ++target) {
        if (row < graph.rows && to[row] == target) {
            const auto distances = graph.row_distances(row);
            const auto within =
                std::upper_bound(distances.begin(), distances.end(), radius) - distances.begin();
            for (const std::int64_t neighbour : graph.row_neighbours(row++).first(within)) {
                result.source.push_back(from[neighbour]);
                result.weight.push_back(1.0);
            }
        }
        result.start.push_back(static_cast<std::int64_t>(result.source.size()));
    }
    return result;
}

Contributions overlapping(const Footprints& sources, const Footprints& targets) {
    const std::vector<std::int64_t> from = placed(sources.places());
    const std::vector<std::int64_t> to = placed(targets.places());
    const spatial::PointIndex index(select(sources.places(), from));
    const double reach = sources.reach() + targets.reach();
    std::vector<std::vector<Entry>> entries(to.size());
#pragma omp parallel for schedule(dynamic, 256) num_threads(core::threads())
    for (std::size_t t = 0; t < to.size(); ++t) {
        const std::array<double, 2> at{targets.places()(to[t], 0), targets.places()(to[t], 1)};
        for (const spatial::Neighbour& near : index.within(at, reach)) {
            const double area = shared_area(targets, to[t], sources, from[near.row]);
            if (area > 0) entries[t].push_back({from[near.row], area});
        }
        std::sort(entries[t].begin(), entries[t].end(),
                  [](const Entry& a, const Entry& b) { return a.source < b.source; });
    }
    return collect(entries, to, targets.rows());
}

std::vector<std::int64_t> renumber(Contributions& contributions, std::int64_t sources) {
    std::vector<std::int64_t> position(sources, -1);
    for (const std::int64_t source : contributions.source) position[source] = 0;
    std::vector<std::int64_t> used;
    for (std::int64_t source = 0; source < sources; ++source) {
        if (position[source] < 0) continue;
        position[source] = static_cast<std::int64_t>(used.size());
        used.push_back(source);
    }
    for (std::int64_t& source : contributions.source) source = position[source];
    return used;
}

core::CountsCsr average(const core::CsrView& values, const Contributions& contributions,
                        Rounding rounding) {
    core::CountsCsr result;
    result.cols = values.cols;
    std::vector<double> sums(values.cols, 0.0);
    std::vector<std::uint8_t> touched(values.cols, 0);
    std::vector<std::int32_t> columns;
    std::vector<std::int32_t> found;
    std::vector<float> means;
    for (std::int64_t target = 0; target < contributions.targets(); ++target) {
        columns.clear();
        for (std::int64_t i = contributions.start[target]; i < contributions.start[target + 1];
             ++i) {
            const auto features = values.row_indices(contributions.source[i]);
            const auto intensities = values.row_values(contributions.source[i]);
            for (std::size_t e = 0; e < features.size(); ++e) {
                if (touched[features[e]] == 0) columns.push_back(features[e]);
                touched[features[e]] = 1;
                sums[features[e]] += contributions.weight[i] * intensities[e];
            }
        }
        const auto weights = contributions.weights(target);
        const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
        std::sort(columns.begin(), columns.end());
        found.clear();
        means.clear();
        for (const std::int32_t column : columns) {
            double mean = sums[column] / total;
            sums[column] = 0.0;
            touched[column] = 0;
            if (rounding == Rounding::HalfToEven) mean = std::nearbyint(mean);
            if (rounding == Rounding::HalfToEven && mean == 0.0) continue;
            found.push_back(column);
            means.push_back(static_cast<float>(mean));
        }
        result.append_row(found, means);
    }
    return result;
}

}  // namespace smeta::align::detail
