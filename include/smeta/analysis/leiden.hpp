#pragma once

#include <cstdint>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

struct LeidenOptions {
    double resolution = 1;  ///< weight of the expected edges; larger gives more clusters
    int iterations = 10;    ///< at most; it ends earlier once an iteration changes nothing
    std::uint64_t seed = 1;
};

/// Whether this binary has the Leiden algorithm (built with SMETA_LEIDEN, igraph).
bool have_leiden();

/// Communities of a symmetric weighted graph (n x n, diagonal ignored) that maximise the modularity
/// with resolution sum_ij (A_ij - resolution k_i k_j / 2m) [same community] (Traag et al. 2019;
/// leidenalg's RBConfiguration, igraph's implementation). Labels are ordered by size, 0 the
/// largest, equal sizes by their first row. The same input and seed give the same labels. Local;
/// throws ConfigError where have_leiden() is false.
std::vector<std::int32_t> leiden(const core::CsrView& weights, const LeidenOptions& options);

/// Renumbers labels so that 0 is the largest group, 1 the next ...; equal sizes by first
/// appearance. Local.
std::vector<std::int32_t> order_by_size(const std::vector<std::int64_t>& labels);

}  // namespace smeta::analysis
