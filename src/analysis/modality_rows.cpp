#include "modality_rows.hpp"

#include <algorithm>
#include <vector>

namespace smeta::analysis::detail {

FeatureRange features_of(const ValueFeatures& features, std::int32_t modality) {
    const auto& of = features.modality;
    const auto range = std::equal_range(of.begin(), of.end(), modality);
    return {static_cast<std::int32_t>(range.first - of.begin()),
            static_cast<std::int32_t>(range.second - of.begin())};
}

core::CountsCsr own_modality_rows(const comm::Comm& comm, const RunValues& values,
                                  std::int32_t modality) {
    const auto [first, last] = features_of(values.features(), modality);
    std::vector<std::int32_t> column(values.features().count(), -1);
    for (auto f = first; f < last; ++f) column[f] = f - first;
    core::CountsCsr rows;
    rows.cols = last - first;
    comm.all_or_throw([&] {
        for (std::int64_t round = 0; round < values.rounds(); ++round) {
            const auto block = values.read(round, ValueScale::LogNormalised);
            const auto part = core::select_columns(block.values, column, rows.cols);
            for (std::int64_t r = 0; r < part.rows; ++r)
                rows.append_row(part.view().row_indices(r), part.view().row_values(r));
        }
    });
    return rows;
}

}  // namespace smeta::analysis::detail
