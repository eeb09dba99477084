#pragma once

#include <string>
#include <string_view>

namespace smeta::core {

/// Throws ConfigError when lists, tables or dotted keys of the TOML text nest so deep (100
/// brackets, 1,000 dots) that a recursive parser would overflow its stack. `file` begins the
/// message.
void check_toml_nesting(std::string_view text, const std::string& file);

}  // namespace smeta::core
