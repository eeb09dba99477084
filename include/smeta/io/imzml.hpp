#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/io/value_policy.hpp"

namespace smeta::io {

enum class ImzmlMode { Continuous, Processed };
enum class Polarity { Unknown, Positive, Negative };
enum class NumberType : std::uint8_t {
    Unknown,
    Int8,
    Int16,
    Int32,
    Int64,
    Float16,
    Float32,
    Float64
};
enum class Compression : std::uint8_t { None, Zlib };

/// "pos", "neg" or "".
std::string_view polarity_name(Polarity polarity);
/// Bytes of one number; 0 for Unknown.
std::int64_t size_of(NumberType type);

/// Where one array of a spectrum lies in the .ibd file.
struct ArrayRef {
    std::int64_t offset = 0;         ///< bytes from the start of the .ibd
    std::int64_t length = 0;         ///< numbers
    std::int64_t encoded_bytes = 0;  ///< bytes in the .ibd
    NumberType type = NumberType::Unknown;
    Compression compression = Compression::None;
    bool operator==(const ArrayRef&) const = default;
};

/// One spectrum of an image: position from 1 (z is 1 where the file has none) and its two arrays.
struct ImzmlSpectrum {
    std::int32_t x = 0;
    std::int32_t y = 0;
    std::int32_t z = 1;
    ArrayRef mz;
    ArrayRef intensity;
};

/// What the .imzML says about the whole image.
struct ImzmlHeader {
    ImzmlMode mode = ImzmlMode::Processed;
    Polarity polarity = Polarity::Unknown;
    std::string uuid;                    ///< 32 lower-case hex digits; empty if the file has none
    std::string sha1;                    ///< 40 lower-case hex digits; empty if the file has none
    std::optional<double> pixel_size_x;  ///< micrometres
    std::optional<double> pixel_size_y;
    std::int64_t max_x = 0;  ///< declared pixel counts, 0 if the file has none
    std::int64_t max_y = 0;
};

struct ImzmlOptions {
    UuidPolicy uuid = UuidPolicy::Error;  ///< Ignore: UUID and checksum may differ (logged)
    bool verify_checksum =
        true;  ///< SHA-1 over the .ibd when the header has one: one pass over the file
};

/// m/z (ascending in valid files) and intensity of one pixel.
struct Spectrum {
    std::vector<double> mz;
    std::vector<float> intensity;
};

/// Reads an imzML image (imzML 1.1; traps of ecosystem notes 1a.4). The constructor streams the XML
/// with Expat (a DOCTYPE is refused) and keeps 80 bytes a spectrum; spectra are read on demand with
/// pread. Every array is checked against the size of the .ibd before anything is allocated: offset
/// >= 16, offset + encoded length <= size, encoded length = length x size of the type (a wrongly
/// declared type is corrected when the lengths say so), 32-bit offsets that wrapped are unwrapped.
/// Throws IoError, FormatError. Local.
class ImzmlReader {
  public:
    /// The .ibd is the file beside it with the same stem and the extension in any case.
    explicit ImzmlReader(const std::string& imzml_path, const ImzmlOptions& options = {});
    ~ImzmlReader();
    ImzmlReader(ImzmlReader&&) noexcept;
    ImzmlReader& operator=(ImzmlReader&&) noexcept;

    const ImzmlHeader& header() const;
    const std::vector<ImzmlSpectrum>& spectra() const;
    std::int64_t ibd_bytes() const;

    /// Reads spectrum `i` (file order, from 0). Arrays are reused: no allocation when they are
    /// large enough.
    void read(std::int64_t i, Spectrum& spectrum);
    /// Only the m/z array.
    void read_mz(std::int64_t i, std::vector<double>& mz);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace smeta::io
