#include "smeta/atlas/names.hpp"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

bool is_valid_name(std::string_view name) {
    constexpr std::size_t kLongestFileName = 200;
    if (name.empty() || name == "." || name == ".." || name.size() > kLongestFileName) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '.' || c == '-';
    });
}

void check_name(std::string_view what, std::string_view name) {
    if (!is_valid_name(name))
        throw core::ConfigError(fmt::format(
            "{} '{}': a name has 1 to 200 letters, digits, '_', '.' and '-'", what, name));
}

bool is_safe_relative_path(std::string_view path) {
    if (path.empty()) return false;
    for (;;) {
        const std::size_t slash = path.find('/');
        if (!is_valid_name(path.substr(0, slash))) return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

fs::path resolve_inside(const fs::path& root, std::string_view relative, const std::string& file) {
    if (!is_safe_relative_path(relative))
        throw core::FormatError({.file = file,
                                 .object = fmt::format("path '{}'", relative),
                                 .expected = "a relative path inside the atlas",
                                 .found = "an absolute path, '..' or other characters",
                                 .hint = "the file was not written by smeta; do not use it"});
    std::error_code error;
    const fs::path base = fs::weakly_canonical(root, error);
    const fs::path target = error ? fs::path() : fs::weakly_canonical(base / relative, error);
    if (error)
        throw core::IoError::from_errno("resolve", (root / relative).string(), error.value());
    const auto [end, ignored] =
        std::mismatch(base.begin(), base.end(), target.begin(), target.end());
    if (end != base.end())
        throw core::FormatError({.file = file,
                                 .object = fmt::format("path '{}'", relative),
                                 .expected = "a file inside the atlas",
                                 .found = "a symbolic link to " + target.string(),
                                 .hint = "copy the file into the atlas instead"});
    return root / relative;
}

}  // namespace smeta::atlas
