#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/analysis/connectivities.hpp"
#include "smeta/analysis/knn.hpp"
#include "smeta/analysis/lisi.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis::detail {

/// The neighbours that the scores of one set of points share: 90 of each of this rank's points, and
/// of these the first few of all points on every rank.
class Neighborhood {
  public:
    /// Collective.
    Neighborhood(const comm::Comm& comm, const core::MatrixD& points);

    /// The first `count` neighbours (at most 90) of all points on every rank. Collective.
    NearestNeighbors first(std::int32_t count) const;
    /// UMAP connectivities of 15 neighbours, the point itself counted, as scanpy's default: what
    /// scib's graph scores are defined on. Collective.
    core::CountsCsr graph() const;
    /// LISI of all points over their 90 neighbours. Collective.
    std::vector<double> lisi(std::span<const std::int32_t> labels) const;

  private:
    const comm::Comm& comm_;
    std::int64_t rows_;
    NearestNeighbors own_;
};

}  // namespace smeta::analysis::detail
