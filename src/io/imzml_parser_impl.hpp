#pragma once

#include <string>
#include <vector>

#include "smeta/io/imzml.hpp"

namespace smeta::io::detail {

/// The XML as read: offsets may still be wrapped and lengths are not yet compared with the .ibd;
/// `encoded_bytes` is -1 where the file gives none.
struct ParsedImzml {
    ImzmlHeader header;
    bool mode_declared = false;
    std::vector<ImzmlSpectrum> spectra;
};

/// Streams the .imzML. Throws IoError, or FormatError with the line.
ParsedImzml parse_imzml(const std::string& path);

}  // namespace smeta::io::detail
