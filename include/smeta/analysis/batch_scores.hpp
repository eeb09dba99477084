#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/analysis/knn.hpp"
#include "smeta/analysis/lisi.hpp"
#include "smeta/analysis/silhouette.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// The given rows in the given order. Local.
core::MatrixD select_rows(const core::MatrixD& points, const std::vector<std::int64_t>& rows);

/// Mean over the labels with two batches or more (and fewer batches than points) of the mean over
/// their points of 1 - |silhouette by batch|: 1 = batches inseparable within each label (scIB,
/// Luecken et al. 2022). NaN where no label qualifies. Local.
double batch_silhouette(const core::MatrixD& points, std::span<const std::int32_t> batches,
                        std::span<const std::int32_t> labels);

/// What batch_silhouette takes the mean of: 1 - |silhouette by batch| of every point among those of
/// its label, NaN where the label does not qualify. Collective.
std::vector<double> batch_mixing_by_label(const comm::Comm& comm, const core::MatrixD& points,
                                          std::span<const std::int32_t> batches,
                                          std::span<const std::int32_t> labels);

inline constexpr std::int32_t kKbetNeighbors = 50;

/// 1 for a point whose neighbours' batches a chi-squared test does not tell from those of all
/// points (p of 0.05 or more), else 0. The mean is kBET's acceptance rate (Buettner et al. 2019;
/// scib-metrics' kbet). Local.
std::vector<double> kbet_accepted(const NearestNeighbors& nearest,
                                  std::span<const std::int32_t> batches);

/// The same among the points of each label with two batches or more and at least 40 points: the
/// batches of the 50 nearest of the label (a quarter of its points if there are fewer than 200)
/// beside those of the label. NaN where the label does not qualify. Collective.
std::vector<double> kbet_accepted_by_label(const comm::Comm& comm, const core::MatrixD& points,
                                           std::span<const std::int32_t> batches,
                                           std::span<const std::int32_t> labels);

/// Of each point: how many of its neighbours are of another batch, and how many would be if all
/// were mixed evenly.
struct OtherBatchNeighbors {
    std::vector<double> found;
    std::vector<double> expected;

    /// Those found by those expected, over `points`: 0 (apart) ... 1 (mixed). NaN with one batch.
    double mixing(std::span<const std::int64_t> points) const;
};

/// n neighbourhoods and the batches of n points. Local.
OtherBatchNeighbors other_batch_neighbors(const NearestNeighbors& nearest,
                                          std::span<const std::int32_t> batches);

double median(std::vector<double> values);

/// How well batches are mixed in one embedding.
struct BatchMixing {
    double ilisi = 0;            ///< (median LISI of the batches - 1) / (batches - 1), 0 ... 1
    double batch_asw = 0;        ///< batch_silhouette, 0 ... 1
    double neighbor_mixing = 0;  ///< OtherBatchNeighbors::mixing of the 15 nearest, 0 ... 1
};

/// The three scores of an embedding (n x d); all NaN with one batch. Local.
BatchMixing batch_mixing(const core::MatrixD& points, std::span<const std::int32_t> batches,
                         std::span<const std::int32_t> labels);

}  // namespace smeta::analysis
