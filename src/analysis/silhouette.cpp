#include "smeta/analysis/silhouette.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

#include "share_rows.hpp"

namespace smeta::analysis {
namespace {

constexpr std::int64_t kLanes = 8;    // points side by side in a vector register
constexpr std::int64_t kQueries = 4;  // that use one load of them
constexpr std::int64_t kTile = 32;    // queries that use one chunk of points
constexpr std::int64_t kChunk = 256;  // points that stay in the first cache, of ten dimensions
using Lanes = Eigen::Array<double, kLanes, 1>;

/// The points sorted by label, dimension by dimension, so that distances to neighbours in memory
/// are one vector operation each.
struct SortedPoints {
    std::vector<std::int64_t> first;  ///< position of each group's first point; one more entry
    std::int64_t rows = 0;
    std::int64_t width = 0;
    std::vector<double> values;  ///< width x rows

    SortedPoints(const core::MatrixD& points, std::span<const std::int32_t> labels)
        : rows(points.rows()), width(points.cols()), values(points.size()) {
        std::int32_t groups = 0;
        for (const auto label : labels) groups = std::max(groups, label + 1);
        first.assign(groups + 1, 0);
        for (const auto label : labels) ++first[label + 1];
        for (std::int32_t g = 0; g < groups; ++g) first[g + 1] += first[g];
        auto next = first;
        for (std::int64_t r = 0; r < rows; ++r) {
            const auto place = next[labels[r]]++;
            for (std::int64_t d = 0; d < width; ++d) values[d * rows + place] = points(r, d);
        }
    }
    std::int64_t groups() const { return static_cast<std::int64_t>(first.size()) - 1; }
    std::int64_t size(std::int64_t group) const { return first[group + 1] - first[group]; }
};

using Quad = std::array<Lanes, kQueries>;

/// Adds the distances of each query to the points [begin, end) of the sorted order, whose number is
/// a multiple of kLanes, lane by lane. `queries`: width x kQueries.
void add_distances(const SortedPoints& points, const double* queries, std::int64_t begin,
                   std::int64_t end, Quad& total) {
    Quad own = total;
    for (std::int64_t j = begin; j < end; j += kLanes) {
        Lanes s0 = Lanes::Zero();
        Lanes s1 = Lanes::Zero();
        Lanes s2 = Lanes::Zero();
        Lanes s3 = Lanes::Zero();
        const double* column = points.values.data() + j;
        const double* q = queries;
        for (std::int64_t d = 0; d < points.width; ++d, column += points.rows, q += kQueries) {
            const Lanes x = Eigen::Map<const Lanes>(column);
            s0 += (x - q[0]).square();
            s1 += (x - q[1]).square();
            s2 += (x - q[2]).square();
            s3 += (x - q[3]).square();
        }
        own[0] += s0.sqrt();
        own[1] += s1.sqrt();
        own[2] += s2.sqrt();
        own[3] += s3.sqrt();
    }
    total = own;
}

/// The lanes' sum and, one by one, the distances to the points [begin, end).
double sum_of(const Lanes& total, const SortedPoints& points, const double* queries, std::int64_t k,
              std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t l = 0; l < kLanes; ++l) sum += total[l];
    for (std::int64_t j = begin; j < end; ++j) {
        double squared = 0;
        for (std::int64_t d = 0; d < points.width; ++d) {
            const double x = points.values[d * points.rows + j] - queries[d * kQueries + k];
            squared += x * x;
        }
        sum += std::sqrt(squared);
    }
    return sum;
}

/// Sums of the distances of kTile queries to each group, queries x groups. A chunk of points is
/// met by all of them while it is in the nearest cache. `queries`: quads x width x kQueries.
void tile_sums(const SortedPoints& points, const std::vector<double>& queries,
               std::vector<double>& sums) {
    for (std::int64_t g = 0; g < points.groups(); ++g) {
        const std::int64_t first = points.first[g];
        const std::int64_t rest = first + points.size(g) / kLanes * kLanes;
        std::array<Quad, kTile / kQueries> total;
        for (auto& quad : total) quad.fill(Lanes::Zero());
        const auto of_quad = [&](std::int64_t quad) {
            return queries.data() + quad * points.width * kQueries;
        };
        for (std::int64_t begin = first; begin < rest; begin += kChunk)
            for (std::int64_t quad = 0; quad < std::ssize(total); ++quad)
                add_distances(points, of_quad(quad), begin, std::min(begin + kChunk, rest),
                              total[quad]);
        for (std::int64_t i = 0; i < kTile; ++i)
            sums[i * points.groups() + g] =
                sum_of(total[i / kQueries][i % kQueries], points, of_quad(i / kQueries),
                       i % kQueries, rest, points.first[g + 1]);
    }
}

/// Calls done(query, sums) for every query, `sums` being those of its distances to each group.
template <class Done>
void for_each_query(const core::MatrixD& points, std::span<const std::int32_t> labels,
                    const SortedPoints& sorted, comm::Range queries, Done done) {
    core::check(static_cast<Eigen::Index>(labels.size()) == points.rows(), "one label a point");
    if (!points.allFinite())
        throw core::NumericError("silhouette: a coordinate is not a finite number");
    const std::int64_t tiles = (queries.size() + kTile - 1) / kTile;
#pragma omp parallel num_threads(core::threads())
    {
        std::vector<double> tile(sorted.width * kTile);
        std::vector<double> sums(kTile * sorted.groups());
#pragma omp for schedule(dynamic, 2)
        for (std::int64_t t = 0; t < tiles; ++t) {
            const std::int64_t first = queries.first + t * kTile;
            // The last tile repeats its last query: every query takes the same path.
            for (std::int64_t i = 0; i < kTile; ++i)
                for (std::int64_t d = 0; d < sorted.width; ++d)
                    tile[(i / kQueries * sorted.width + d) * kQueries + i % kQueries] =
                        points(std::min(first + i, queries.last - 1), d);
            tile_sums(sorted, tile, sums);
            for (std::int64_t i = 0; i < kTile && first + i < queries.last; ++i)
                done(first + i,
                     std::span<const double>(sums).subspan(i * sorted.groups(), sorted.groups()));
        }
    }
}

double width_of(double a, double b) {
    return std::isinf(b) || !(std::max(a, b) > 0) ? 0 : (b - a) / std::max(a, b);
}

/// Width by the nearest other group.
double width_of(std::span<const double> sums, const SortedPoints& points, std::int32_t own) {
    if (points.size(own) < 2) return 0;
    const double a = sums[own] / static_cast<double>(points.size(own) - 1);
    double b = std::numeric_limits<double>::infinity();
    for (std::int64_t g = 0; g < points.groups(); ++g)
        if (g != own && points.size(g) > 0)
            b = std::min(b, sums[g] / static_cast<double>(points.size(g)));
    return width_of(a, b);
}

}  // namespace

std::vector<double> silhouette(const core::MatrixD& points, std::span<const std::int32_t> labels,
                               comm::Range queries) {
    const SortedPoints sorted(points, labels);
    std::vector<double> result(queries.size(), 0.0);
    for_each_query(points, labels, sorted, queries,
                   [&](std::int64_t query, std::span<const double> sums) {
                       result[query - queries.first] = width_of(sums, sorted, labels[query]);
                   });
    return result;
}

std::vector<double> silhouette(const core::MatrixD& points, std::span<const std::int32_t> labels) {
    return silhouette(points, labels, {0, points.rows()});
}

std::vector<double> silhouette(const comm::Comm& comm, const core::MatrixD& points,
                               std::span<const std::int32_t> labels) {
    return detail::share_rows(comm, points.rows(),
                              [&](comm::Range own) { return silhouette(points, labels, own); });
}

std::vector<double> group_distance_sums(const comm::Comm& comm, const core::MatrixD& points,
                                        std::span<const std::int32_t> labels, std::int32_t groups) {
    return detail::share_rows(comm, points.rows(), [&](comm::Range own) {
        const SortedPoints sorted(points, labels);
        std::vector<double> result(own.size() * groups, 0.0);
        for_each_query(
            points, labels, sorted, own, [&](std::int64_t query, std::span<const double> sums) {
                std::copy(sums.begin(), sums.end(), result.begin() + (query - own.first) * groups);
            });
        return result;
    });
}

}  // namespace smeta::analysis
