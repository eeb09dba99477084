#pragma once

#include <string>
#include <vector>

#include "smeta/io/tenx.hpp"

namespace smeta::io::detail {

/// A 10x matrix as stored: barcodes by features.
struct TenxParts {
    std::vector<std::string> barcodes;
    std::vector<std::string> ids;
    std::vector<std::string> names;
    std::vector<std::string> types;  ///< empty where the format has none
    core::CountsCsr counts;
};

/// Filters by feature type, names and checks. Throws FormatError naming `file`.
AnnData assemble_tenx(TenxParts parts, const TenxOptions& options, const std::string& file);

}  // namespace smeta::io::detail
