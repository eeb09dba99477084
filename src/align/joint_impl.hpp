#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::align::detail {

/// Values of the given raw rows (ascending), all features.
using RowReader = std::function<core::CountsCsr(const std::vector<std::int64_t>& rows)>;

/// A modality of the raw file reduced to what quality control kept.
struct KeptModality {
    std::string name;
    const io::AnnData* raw = nullptr;  ///< its tables; X is read through `read`
    RowReader read;
    std::vector<std::int64_t> rows;        ///< rows of the raw file
    std::vector<std::int32_t> new_column;  ///< of each raw feature, -1 where dropped
    io::Frame var;
    std::vector<double> totals;  ///< of the kept rows' values; empty where `qc` has none
    core::MatrixD points;        ///< obsm spatial of the kept rows; no columns where absent

    /// Kept features of the given kept rows, in any order; -1 = an empty row.
    core::CountsCsr values(const std::vector<std::int64_t>& kept_rows) const;
};

/// FormatError when `qc` has other rows or features than the raw modality.
KeptModality keep(const std::string& name, const io::AnnData& raw, const io::AnnData& qc,
                  RowReader read);

/// Whether any row of the section (not only of this rank's share) lacks a value.
enum class Gaps { None, Some };

/// Values at the given rows; -1 = missing (NaN, "", no category, false). Integers become numbers
/// where there are gaps.
io::ColumnValues pick(const io::ColumnValues& values, const std::vector<std::int64_t>& rows,
                      Gaps gaps);

}  // namespace smeta::align::detail
