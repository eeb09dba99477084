#pragma once

#include <string>
#include <vector>

#include "smeta/io/imzml.hpp"

#include "xml_stream_impl.hpp"

namespace smeta::io::detail {

/// The XML as read: offsets may still be wrapped and lengths are not yet compared with the .ibd;
/// `encoded_bytes` is -1 where the file gives none.
struct ParsedImzml {
    ImzmlHeader header;
    bool mode_declared = false;
    Polarity spectra_polarity = Polarity::Unknown;  ///< of the spectra themselves
    std::vector<ImzmlSpectrum> spectra;
};

/// Streams the .imzML; with several threads of core::threads() each takes a part of a large
/// file. Throws IoError, or FormatError with the line.
ParsedImzml parse_imzml(const std::string& path);

/// Streams the whole file in this thread.
ParsedImzml parse_whole_imzml(const std::string& path);
/// Streams what stands before the first spectrum and then a part of the file. A part that is not
/// the last one must begin and end between spectra, in the same element, and have nothing but
/// spectra: else, and for every other fault, FormatError (lines are counted wrongly).
ParsedImzml parse_imzml_part(const std::string& path, ByteRange head, ByteRange part, bool is_last);

}  // namespace smeta::io::detail
