#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/io/imzml.hpp"

namespace smeta::io::detail {

/// Accessions as numbers: MS:1000514 -> 1000514, IMS:1000050 -> kIms + 1000050; 0 for anything
/// else.
inline constexpr std::int64_t kIms = 1'000'000'000;

struct Param {
    std::int64_t code = 0;
    std::string name;
    std::string value;
    std::string unit;
};

struct ParamView {
    std::int64_t code = 0;
    const char* name = "";
    const char* value = "";
    const char* unit = "";
};

struct Group {
    std::string id;
    std::vector<Param> params;
};

std::int64_t accession_code(const char* text);

/// Whole numbers, also as "1.156e+09" (some writers print large offsets so); false for other text.
bool parse_count(const char* text, std::int64_t& value);

NumberType type_of_code(std::int64_t code);
NumberType type_of_name(const char* name);

/// The hexadecimal digits of a UUID or checksum, in lower case, without braces and hyphens.
std::string hex_digits(const char* text);

/// A length in micrometres, by its unit (nanometres, micrometres or none, millimetres).
std::optional<double> micrometres(const ParamView& param);

}  // namespace smeta::io::detail
