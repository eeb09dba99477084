#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace smeta::atlas {

/// True when `name` matches [A-Za-z0-9_.-]+ and is neither "." nor "..": it can be a file name
/// anywhere and cannot leave its folder. Names of samples, cohorts, runs, stages and modalities are
/// such names.
bool is_valid_name(std::string_view name);
/// Throws ConfigError "WHAT 'NAME': ..." unless valid.
void check_name(std::string_view what, std::string_view name);

/// True when `path` is relative and each of its parts is a valid name (so: no "..", no "//", not
/// absolute).
bool is_safe_relative_path(std::string_view path);

/// The path of `relative` inside `root`. FormatError naming `file` (where the path stands) when it
/// is not safe or leads out of `root` through a symbolic link. The target need not exist. Local.
std::filesystem::path resolve_inside(const std::filesystem::path& root, std::string_view relative,
                                     const std::string& file);

}  // namespace smeta::atlas
