#include "smeta/analysis/batch_scores.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "smeta/stats/tests.hpp"

#include "share_rows.hpp"

namespace smeta::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int32_t kMixingNeighbors = 15;

std::int32_t groups_of(std::span<const std::int32_t> labels) {
    return labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
}

/// Calls visit(rows, batches of the rows) for every label with two batches or more and fewer
/// batches than points.
template <class Visit>
void for_each_label(std::span<const std::int32_t> batches, std::span<const std::int32_t> labels,
                    Visit visit) {
    std::vector<std::vector<std::int64_t>> members(groups_of(labels));
    for (std::size_t i = 0; i < labels.size(); ++i)
        members[labels[i]].push_back(static_cast<std::int64_t>(i));
    for (const auto& rows : members) {
        std::vector<std::int32_t> own;
        own.reserve(rows.size());
        for (const auto r : rows) own.push_back(batches[r]);
        auto distinct = own;
        std::sort(distinct.begin(), distinct.end());
        distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
        if (distinct.size() >= 2 && distinct.size() < rows.size()) visit(rows, own);
    }
}

/// batch_silhouette with `widths(points, batches)` for the silhouettes within one label.
template <class Widths>
double mean_over_labels(const core::MatrixD& points, std::span<const std::int32_t> batches,
                        std::span<const std::int32_t> labels, Widths widths) {
    double total = 0;
    std::int64_t counted = 0;
    for_each_label(batches, labels, [&](const auto& rows, const auto& own) {
        double sum = 0;
        for (const double s : widths(select_rows(points, rows), own)) sum += 1 - std::abs(s);
        total += sum / static_cast<double>(rows.size());
        ++counted;
    });
    return counted > 0 ? total / static_cast<double>(counted) : kNaN;
}

}  // namespace

core::MatrixD select_rows(const core::MatrixD& points, const std::vector<std::int64_t>& rows) {
    core::MatrixD result(static_cast<Eigen::Index>(rows.size()), points.cols());
    for (std::size_t r = 0; r < rows.size(); ++r)
        result.row(static_cast<Eigen::Index>(r)) = points.row(rows[r]);
    return result;
}

double batch_silhouette(const core::MatrixD& points, std::span<const std::int32_t> batches,
                        std::span<const std::int32_t> labels) {
    return mean_over_labels(points, batches, labels, [](const auto& own, const auto& codes) {
        return silhouette(own, codes);
    });
}

std::vector<double> batch_mixing_by_label(const comm::Comm& comm, const core::MatrixD& points,
                                          std::span<const std::int32_t> batches,
                                          std::span<const std::int32_t> labels) {
    std::vector<double> result(labels.size(), kNaN);
    for_each_label(batches, labels, [&](const auto& rows, const auto& own) {
        const auto widths = silhouette(comm, select_rows(points, rows), own);
        for (std::size_t i = 0; i < rows.size(); ++i) result[rows[i]] = 1 - std::abs(widths[i]);
    });
    return result;
}

std::vector<double> kbet_accepted(const NearestNeighbors& nearest,
                                  std::span<const std::int32_t> batches) {
    constexpr double kRejected = 0.05;
    const std::int64_t k = nearest.neighbors;
    std::vector<double> expected(groups_of(batches), 0);
    for (const auto b : batches) expected[b] += 1;
    for (auto& e : expected) e *= static_cast<double>(k) / static_cast<double>(batches.size());
    std::vector<double> result(nearest.rows);
    std::vector<double> found(expected.size());
    for (std::int64_t r = 0; r < nearest.rows; ++r) {
        std::fill(found.begin(), found.end(), 0.0);
        for (std::int64_t j = 0; j < k; ++j) found[batches[nearest.indices[r * k + j]]] += 1;
        double statistic = 0;
        for (std::size_t b = 0; b < expected.size(); ++b)
            statistic += (found[b] - expected[b]) * (found[b] - expected[b]) / expected[b];
        result[r] = stats::chi_squared_tail(statistic, static_cast<double>(expected.size()) - 1) >=
                            kRejected
                        ? 1
                        : 0;
    }
    return result;
}

std::vector<double> kbet_accepted_by_label(const comm::Comm& comm, const core::MatrixD& points,
                                           std::span<const std::int32_t> batches,
                                           std::span<const std::int32_t> labels) {
    constexpr std::int64_t kFewest = 40;
    std::vector<double> result(labels.size(), kNaN);
    for_each_label(batches, labels, [&](const auto& rows, const auto& own) {
        const auto size = std::ssize(rows);
        if (size < kFewest) return;
        std::vector<std::int32_t> position(groups_of(own), 0);
        for (const auto b : own) position[b] = 1;
        std::exclusive_scan(position.begin(), position.end(), position.begin(), 0);
        std::vector<std::int32_t> codes;
        for (const auto b : own) codes.push_back(position[b]);
        const auto inside = select_rows(points, rows);
        const auto k = static_cast<std::int32_t>(std::min<std::int64_t>(kKbetNeighbors, size / 4));
        const auto accepted = detail::share_rows(comm, size, [&](comm::Range part) {
            return kbet_accepted(nearest_neighbors(inside, part, k), codes);
        });
        for (std::int64_t i = 0; i < size; ++i) result[rows[i]] = accepted[i];
    });
    return result;
}

double OtherBatchNeighbors::mixing(std::span<const std::int64_t> points) const {
    double others = 0;
    double even = 0;
    for (const auto i : points) {
        others += found[i];
        even += expected[i];
    }
    return even > 0 ? others / even : kNaN;
}

OtherBatchNeighbors other_batch_neighbors(const NearestNeighbors& nearest,
                                          std::span<const std::int32_t> batches) {
    const std::int64_t k = nearest.neighbors;
    std::vector<std::int64_t> sizes(groups_of(batches), 0);
    for (const auto b : batches) ++sizes[b];
    OtherBatchNeighbors result;
    for (std::int64_t r = 0; r < nearest.rows; ++r) {
        std::int64_t others = 0;
        for (std::int64_t j = 0; j < k; ++j)
            others += batches[nearest.indices[r * k + j]] != batches[r];
        result.found.push_back(static_cast<double>(others));
        result.expected.push_back(static_cast<double>(k * (nearest.rows - sizes[batches[r]])) /
                                  static_cast<double>(nearest.rows - 1));
    }
    return result;
}

double median(std::vector<double> values) {
    if (values.empty()) return kNaN;
    std::sort(values.begin(), values.end());
    const auto half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

BatchMixing batch_mixing(const core::MatrixD& points, std::span<const std::int32_t> batches,
                         std::span<const std::int32_t> labels) {
    std::vector<std::int32_t> distinct(batches.begin(), batches.end());
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    if (distinct.size() < 2) return {kNaN, kNaN, kNaN};
    const comm::Range all{0, points.rows()};
    BatchMixing result;
    result.ilisi = (median(lisi(nearest_neighbors(points, all, kLisiNeighbors), batches)) - 1) /
                   static_cast<double>(distinct.size() - 1);
    result.batch_asw = batch_silhouette(points, batches, labels);
    std::vector<std::int64_t> every(points.rows());
    std::iota(every.begin(), every.end(), std::int64_t{0});
    result.neighbor_mixing =
        other_batch_neighbors(nearest_neighbors(points, all, kMixingNeighbors), batches)
            .mixing(every);
    return result;
}

}  // namespace smeta::analysis
