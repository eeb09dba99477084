#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::align::detail {

/// A modality of the raw file reduced to what quality control kept.
struct KeptModality {
    std::string name;
    const io::AnnData* raw = nullptr;
    std::vector<std::int64_t> rows;  ///< rows of the raw file
    core::CountsCsr x;               ///< kept rows by kept features
    io::Frame var;
    core::MatrixD points;  ///< obsm spatial of the kept rows; no columns where absent
    std::map<std::string, std::int64_t, std::less<>> position;  ///< kept row by name
    std::map<std::string, std::int64_t, std::less<>> dropped;   ///< raw row by name
};

/// FormatError when `qc` has other rows or features than the raw modality.
KeptModality keep(const std::string& name, const io::AnnData& raw, const io::AnnData& qc);

/// Values at the given rows; -1 = missing (NaN, "", no category, false).
io::ColumnValues pick(const io::ColumnValues& values, const std::vector<std::int64_t>& rows);

/// The given rows of x; -1 = an empty row.
core::CountsCsr pick(const core::CsrView& x, const std::vector<std::int64_t>& rows);

}  // namespace smeta::align::detail
