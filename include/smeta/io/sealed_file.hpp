#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace smeta::io {

/// A seal is 45 bytes at the end of a file that hold the checksum of all bytes before them:
/// "smeta-xxh3:", 32 hex digits, " \n". HDF5 does not look beyond the end of its data, so sealed
/// files open everywhere. For files that commands replace, whose checksum stands nowhere else.
enum class Seal { Intact, Missing, Broken };

/// Appends the seal to a complete, closed file. IoError. Local.
void seal_file(const std::string& path);
/// Reads the whole file. IoError. Local.
Seal check_seal(const std::string& path);

/// The bytes with their seal behind them.
std::string sealed(std::string content);
/// What stands before an intact seal; nothing where the seal is missing or broken.
std::optional<std::string_view> unsealed(std::string_view bytes);

}  // namespace smeta::io
