#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/analysis/run_values.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/stats/rank_sum.hpp"

namespace smeta::analysis::detail {

/// The values of a feature that are not 0, over all rows, each with the cell of its row; the order
/// depends on the ranks.
struct FeatureColumn {
    std::int32_t feature = 0;
    std::vector<stats::GroupedValue> values;
};

/// Deals features to ranks in turn, in panels of as many as the memory allows, so that one rank has
/// a whole feature at a time. The rows are read once a panel.
class FeatureColumns {
  public:
    /// `cells`: what each row of `values` belongs to, -1 for rows that are left out. `memory`:
    /// bytes that the columns may take on this rank. Collective.
    FeatureColumns(const comm::Comm& comm, const RunValues& values,
                   std::span<const std::int32_t> cells, std::int64_t memory);

    std::int32_t panels() const { return panels_; }
    /// This rank's features of a panel, ascending. Collective.
    std::vector<FeatureColumn> read(std::int32_t panel,
                                    ValueScale scale = ValueScale::LogNormalised) const;

  private:
    struct Travelling {
        std::int32_t column = 0;  ///< among the owner's features of the panel
        float value = 0;
        std::int32_t cell = 0;
    };
    using Parcels = std::vector<std::vector<Travelling>>;
    Parcels pack(const ValueBlock& block, std::int32_t panel) const;

    const comm::Comm& comm_;
    const RunValues& values_;
    std::span<const std::int32_t> cells_;
    std::int32_t panels_ = 1;
};

}  // namespace smeta::analysis::detail
