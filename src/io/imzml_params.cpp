#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>

#include "imzml_params_impl.hpp"

namespace smeta::io::detail {

std::int64_t accession_code(const char* text) {
    std::int64_t base = 0;
    if (std::strncmp(text, "IMS:", 4) == 0) {
        base = kIms;
        text += 4;
    } else if (std::strncmp(text, "MS:", 3) == 0) {
        text += 3;
    } else {
        return 0;
    }
    std::int64_t number = 0;
    for (; *text >= '0' && *text <= '9' && number < 100'000'000; ++text)
        number = number * 10 + (*text - '0');
    return base + number;
}

bool parse_count(const char* text, std::int64_t& value) {
    const char* end = text + std::strlen(text);
    while (text != end && *text == ' ') ++text;
    while (end != text && end[-1] == ' ') --end;
    if (text == end) return false;
    if (const auto got = std::from_chars(text, end, value); got.ec == std::errc() && got.ptr == end)
        return true;
    double number = 0;
    const auto got = std::from_chars(text, end, number);
    if (got.ec != std::errc() || got.ptr != end || std::fabs(number) > 9e15 ||
        number != std::floor(number))
        return false;
    value = static_cast<std::int64_t>(number);
    return true;
}

NumberType type_of_code(std::int64_t code) {
    switch (code) {
        case kIms + 1100000:
            return NumberType::Int8;
        case kIms + 1100001:
            return NumberType::Int16;
        case 1000519:
        case kIms + 1000141:
            return NumberType::Int32;
        case 1000522:
        case kIms + 1000142:
            return NumberType::Int64;
        case 1000520:
            return NumberType::Float16;
        case 1000521:
            return NumberType::Float32;
        case 1000523:
            return NumberType::Float64;
        default:
            return NumberType::Unknown;
    }
}

NumberType type_of_name(const char* name) {
    const std::string_view text = name;
    if (text == "16-bit float") return NumberType::Float16;
    if (text == "32-bit float") return NumberType::Float32;
    if (text == "64-bit float") return NumberType::Float64;
    if (text == "8-bit integer") return NumberType::Int8;
    if (text == "16-bit integer") return NumberType::Int16;
    if (text == "32-bit integer") return NumberType::Int32;
    if (text == "64-bit integer") return NumberType::Int64;
    return NumberType::Unknown;
}

std::string hex_digits(const char* text) {
    std::string digits;
    for (; *text != 0; ++text) {
        const char c = *text >= 'A' && *text <= 'Z' ? static_cast<char>(*text + 32) : *text;
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) digits += c;
    }
    return digits;
}

std::optional<double> micrometres(const ParamView& param) {
    double value = 0;
    const char* end = param.value + std::strlen(param.value);
    if (std::from_chars(param.value, end, value).ec != std::errc() || !(value > 0))
        return std::nullopt;
    if (std::strcmp(param.unit, "UO:0000018") == 0) return value * 1e-3;
    if (std::strcmp(param.unit, "UO:0000016") == 0) return value * 1e3;
    return value;
}

}  // namespace smeta::io::detail
