#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/analysis/knn.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

/// Local inverse Simpson's index of one neighbour list (Korsunsky et al. 2019, supplement).
struct Lisi {
    double beta = 1;   ///< precision of the weights exp(-beta d): their entropy is log(perplexity)
    double value = 1;  ///< 1 / sum over labels of the squared weight share: 1 (one label) ...
                       ///< labels (all alike)
};

inline constexpr double kLisiPerplexity = 30;
inline constexpr std::int32_t kLisiNeighbors = 90;

/// `labels` are those of the neighbours, from 0. beta by bisection, tolerance 1e-5 and at most 50
/// steps. Local.
Lisi lisi(std::span<const double> distances, std::span<const std::int32_t> labels,
          double perplexity = kLisiPerplexity);

/// LISI of every point from its neighbour list; `labels` has one entry a point. Local.
std::vector<double> lisi(const NearestNeighbors& nearest, std::span<const std::int32_t> labels,
                         double perplexity = kLisiPerplexity);

/// Silhouette width (b - a) / max(a, b) of every point, Euclidean; 0 in a group of one and where
/// there is one group only. Needs n^2 distances. Local.
std::vector<double> silhouette(const core::MatrixD& points, std::span<const std::int32_t> labels);

/// Mean over the labels with two batches or more (and fewer batches than points) of the mean over
/// their points of 1 - |silhouette by batch|: 1 = batches inseparable within each label (scIB,
/// Luecken et al. 2022). NaN where no label qualifies. Local.
double batch_silhouette(const core::MatrixD& points, std::span<const std::int32_t> batches,
                        std::span<const std::int32_t> labels);

/// Mean share of neighbours from other batches over its expectation when all are mixed evenly: 0
/// (apart) ... 1 (mixed). NaN with one batch. Local.
double neighbor_mixing(const NearestNeighbors& nearest, std::span<const std::int32_t> batches);

double median(std::vector<double> values);

/// How well batches are mixed in one embedding.
struct BatchMixing {
    double ilisi = 0;            ///< (median LISI of the batches - 1) / (batches - 1), 0 ... 1
    double batch_asw = 0;        ///< batch_silhouette, 0 ... 1
    double neighbor_mixing = 0;  ///< neighbor_mixing over the 15 nearest, 0 ... 1
};

/// The three scores of an embedding (n x d); all NaN with one batch. Local.
BatchMixing batch_mixing(const core::MatrixD& points, std::span<const std::int32_t> batches,
                         std::span<const std::int32_t> labels);

}  // namespace smeta::analysis
