#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "smeta/io/imzml.hpp"

namespace smeta::io::detail {

/// Says which array of which spectrum a message is about.
struct ArrayContext {
    const std::string& file;
    std::int64_t spectrum;  ///< from 0
    const char* what;       ///< "m/z", "intensity"
};

/// Adds 2^32 where offsets were written through 32-bit integers and wrapped: signed ones become
/// negative, unsigned ones fall by more than 2^31 in an .ibd of more than 4 GiB. `array` says which
/// of the two arrays.
void unwrap_offsets(std::vector<ImzmlSpectrum>& spectra, ArrayRef ImzmlSpectrum::*array,
                    std::int64_t ibd_bytes);

/// Checks one array against the size of the .ibd and completes its encoded length; a type whose
/// size contradicts the lengths is replaced by that of the right size (returns true then). Throws
/// FormatError.
bool check_array(ArrayRef& array, std::int64_t ibd_bytes, const ArrayContext& context);

/// Numbers of an array from its bytes in the .ibd (checked by check_array). Throws FormatError when
/// zlib data do not hold exactly the declared numbers; never inflates more than those.
void decode(const ArrayRef& array, std::span<const std::byte> bytes, std::vector<double>& values,
            const ArrayContext& context);
void decode(const ArrayRef& array, std::span<const std::byte> bytes, std::vector<float>& values,
            const ArrayContext& context);

}  // namespace smeta::io::detail
