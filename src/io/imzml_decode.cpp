#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include <fmt/format.h>
#include <libdeflate.h>

#include "smeta/core/error.hpp"

#include "imzml_decode_impl.hpp"

namespace smeta::io::detail {

namespace {

static_assert(std::endian::native == std::endian::little, "imzML data are little endian");

constexpr std::int64_t kHeaderBytes = 16;  // the UUID
/// Deflate cannot expand data by more than 1032 : 1.
constexpr std::int64_t kLargestRatio = 1032;

[[noreturn]] void refuse(const ArrayContext& context, std::string expected, std::string found,
                         std::string hint = {}) {
    throw core::FormatError(
        {context.file, fmt::format("spectrum {}, {} array", context.spectrum + 1, context.what),
         std::move(expected), std::move(found), std::move(hint)});
}

bool is_float(NumberType type) {
    return type == NumberType::Float16 || type == NumberType::Float32 ||
           type == NumberType::Float64;
}

NumberType with_size(NumberType type, std::int64_t size) {
    const bool real = is_float(type) || type == NumberType::Unknown;
    switch (size) {
        case 1:
            return real ? NumberType::Unknown : NumberType::Int8;
        case 2:
            return real ? NumberType::Float16 : NumberType::Int16;
        case 4:
            return real ? NumberType::Float32 : NumberType::Int32;
        case 8:
            return real ? NumberType::Float64 : NumberType::Int64;
        default:
            return NumberType::Unknown;
    }
}

double half_to_double(std::uint16_t bits) {
    const int exponent = bits >> 10 & 31;
    const int mantissa = bits & 1023;
    double value = 0;
    if (exponent == 31)
        value = mantissa == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
    else if (exponent == 0)
        value = std::ldexp(mantissa, -24);
    else
        value = std::ldexp(1024 + mantissa, exponent - 25);
    return bits >> 15 != 0 ? -value : value;
}

template <class Stored, class R>
void convert(std::span<const std::byte> bytes, std::vector<R>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        Stored stored;
        std::memcpy(&stored, bytes.data() + i * sizeof stored, sizeof stored);
        values[i] = static_cast<R>(stored);
    }
}

template <class R>
void convert_all(NumberType type, std::span<const std::byte> bytes, std::vector<R>& values) {
    switch (type) {
        case NumberType::Int8:
            return convert<std::int8_t>(bytes, values);
        case NumberType::Int16:
            return convert<std::int16_t>(bytes, values);
        case NumberType::Int32:
            return convert<std::int32_t>(bytes, values);
        case NumberType::Int64:
            return convert<std::int64_t>(bytes, values);
        case NumberType::Float32:
            return convert<float>(bytes, values);
        case NumberType::Float64:
            return convert<double>(bytes, values);
        case NumberType::Float16:
            for (std::size_t i = 0; i < values.size(); ++i) {
                std::uint16_t bits = 0;
                std::memcpy(&bits, bytes.data() + 2 * i, 2);
                values[i] = static_cast<R>(half_to_double(bits));
            }
            return;
        case NumberType::Unknown:
            break;
    }
    core::check(false, "a checked number type");
}

struct FreeDecompressor {
    void operator()(libdeflate_decompressor* d) const { libdeflate_free_decompressor(d); }
};

std::vector<std::byte> inflate(const ArrayRef& array, std::span<const std::byte> bytes,
                               const ArrayContext& context) {
    const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> inflater(
        libdeflate_alloc_decompressor());
    core::check(inflater != nullptr, "memory for a decompressor");
    std::vector<std::byte> result(array.length * size_of(array.type));
    std::size_t got = 0;
    const libdeflate_result status = libdeflate_zlib_decompress(
        inflater.get(), bytes.data(), bytes.size(), result.data(), result.size(), &got);
    if (status == LIBDEFLATE_INSUFFICIENT_SPACE)
        refuse(context, fmt::format("{} bytes when inflated", result.size()), "more");
    if (status != LIBDEFLATE_SUCCESS) refuse(context, "zlib data", "damaged data");
    if (got != result.size())
        refuse(context, fmt::format("{} bytes when inflated", result.size()),
               fmt::format("{} bytes", got));
    return result;
}

template <class R>
void decode_any(const ArrayRef& array, std::span<const std::byte> bytes, std::vector<R>& values,
                const ArrayContext& context) {
    values.resize(array.length);
    if (array.compression == Compression::None || array.length == 0)
        convert_all(array.length == 0 ? NumberType::Float32 : array.type, bytes, values);
    else
        convert_all(array.type, inflate(array, bytes, context), values);
}

}  // namespace

void unwrap_offsets(std::vector<ImzmlSpectrum>& spectra, ArrayRef ImzmlSpectrum::*array,
                    std::int64_t ibd_bytes) {
    constexpr std::int64_t k32 = std::int64_t{1} << 32;
    bool any_negative = false;
    bool all_below = true;
    for (const ImzmlSpectrum& spectrum : spectra) {
        if ((spectrum.*array).length == 0) continue;
        any_negative = any_negative || (spectrum.*array).offset < 0;
        all_below = all_below && (spectrum.*array).offset < k32;
    }
    if (!any_negative && (!all_below || ibd_bytes <= k32)) return;
    std::int64_t delta = 0;
    std::int64_t previous = -1;
    for (ImzmlSpectrum& spectrum : spectra) {
        ArrayRef& ref = spectrum.*array;
        if (ref.length == 0) continue;
        const std::int64_t written = ref.offset;
        if (any_negative ? written < 0 && previous >= 0 : written < previous - k32 / 2)
            delta += k32;
        if (written < -k32 || written > 4 * ibd_bytes) return;  // left to check_array to refuse
        ref.offset = written + delta;
        previous = written;
    }
}

bool check_array(ArrayRef& array, std::int64_t ibd_bytes, const ArrayContext& context) {
    if (array.length == 0) {
        array.offset = 0;
        array.encoded_bytes = 0;
        return false;
    }
    bool corrected = false;
    if (array.compression == Compression::None) {
        if (array.length > ibd_bytes)
            refuse(context, fmt::format("an array inside the .ibd of {} bytes", ibd_bytes),
                   fmt::format("{} numbers", array.length), "is the .ibd whole?");
        if (array.encoded_bytes <= 0 && array.type != NumberType::Unknown)
            array.encoded_bytes =
                array.encoded_bytes < -1 ? array.encoded_bytes : array.length * size_of(array.type);
        if (array.encoded_bytes != array.length * size_of(array.type) ||
            array.type == NumberType::Unknown) {
            const bool divides = array.encoded_bytes > 0 && array.encoded_bytes % array.length == 0;
            array.type = with_size(array.type, divides ? array.encoded_bytes / array.length : 0);
            if (array.type == NumberType::Unknown)
                refuse(context,
                       "an encoded length that is the array length times the number's size",
                       fmt::format("{} bytes for {} numbers", array.encoded_bytes, array.length));
            corrected = true;
        }
    } else {
        if (array.type == NumberType::Unknown || array.encoded_bytes <= 0)
            refuse(context, "a number type and the encoded length of a compressed array", "none");
        if (array.encoded_bytes > ibd_bytes || array.length / kLargestRatio > array.encoded_bytes)
            refuse(context, "a length that the compressed bytes can hold",
                   fmt::format("{} numbers in {} bytes", array.length, array.encoded_bytes));
    }
    if (array.offset < kHeaderBytes)
        refuse(context, "an offset of 16 or more", fmt::format("{}", array.offset));
    if (array.offset > ibd_bytes - array.encoded_bytes)
        refuse(context, fmt::format("an array inside the .ibd of {} bytes", ibd_bytes),
               fmt::format("{} bytes at offset {}", array.encoded_bytes, array.offset),
               "is the .ibd whole, and does it belong to this .imzML?");
    return corrected;
}

void decode(const ArrayRef& array, std::span<const std::byte> bytes, std::vector<double>& values,
            const ArrayContext& context) {
    decode_any(array, bytes, values, context);
}

void decode(const ArrayRef& array, std::span<const std::byte> bytes, std::vector<float>& values,
            const ArrayContext& context) {
    decode_any(array, bytes, values, context);
}

}  // namespace smeta::io::detail
