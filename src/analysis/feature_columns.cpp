#include "feature_columns.hpp"

#include <algorithm>

#include "smeta/core/error.hpp"
#include "smeta/core/progress.hpp"

namespace smeta::analysis::detail {

FeatureColumns::FeatureColumns(const comm::Comm& comm, const RunValues& values,
                               std::span<const std::int32_t> cells, std::int64_t memory)
    : comm_(comm), values_(values), cells_(cells) {
    core::check(static_cast<std::int64_t>(cells.size()) == values.rows(), "one cell a row");
    // Columns grow by doubling: half of their capacity may be unused.
    const auto bytes =
        static_cast<double>(values.stored_values()) * 2 * sizeof(stats::GroupedValue);
    const double room = static_cast<double>(comm.allreduce(memory, comm::ReduceOp::Min)) *
                        static_cast<double>(comm.size());
    panels_ = static_cast<std::int32_t>(
        std::clamp(bytes / std::max(room, 1.0) + 1, 1.0,
                   static_cast<double>(std::max(values.features().count(), 1))));
}

FeatureColumns::Parcels FeatureColumns::pack(const ValueBlock& block, std::int32_t panel) const {
    Parcels parcels(comm_.size());
    const auto& rows = block.values;
    for (std::int64_t r = 0; r < rows.rows; ++r) {
        const auto cell = cells_[block.first_row + r];
        if (cell < 0) continue;
        for (auto e = rows.indptr[r]; e < rows.indptr[r + 1]; ++e) {
            const auto feature = rows.indices[e];
            if (feature % panels_ != panel) continue;
            const auto place = feature / panels_;
            parcels[place % comm_.size()].push_back({place / comm_.size(), rows.values[e], cell});
        }
    }
    return parcels;
}

std::vector<FeatureColumn> FeatureColumns::read(std::int32_t panel, ValueScale scale) const {
    std::vector<FeatureColumn> columns;
    for (std::int32_t f = panel + comm_.rank() * panels_; f < values_.features().count();
         f += panels_ * comm_.size())
        columns.push_back({f, {}});
    core::Progress progress("values of the features", values_.rounds());
    for (std::int64_t round = 0; round < values_.rounds(); ++round) {
        Parcels parcels;
        comm_.all_or_throw([&] { parcels = pack(values_.read(round, scale), panel); });
        if (comm_.size() > 1) parcels = comm_.alltoall(parcels);
        for (const auto& parcel : parcels)
            for (const auto& entry : parcel)
                columns[entry.column].values.push_back({entry.value, entry.cell});
        progress.advance();
    }
    return columns;
}

}  // namespace smeta::analysis::detail
