#include "table_columns.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/error.hpp"

namespace smeta::analysis::detail {
std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

TableColumns::TableColumns(std::string path, const std::vector<std::string_view>& header)
    : path_(std::move(path)) {
    for (const auto name : header) names_.push_back(lower(name));
}

std::optional<std::size_t> TableColumns::find(std::initializer_list<std::string_view> names) const {
    for (const auto name : names)
        if (const auto at = std::find(names_.begin(), names_.end(), name); at != names_.end())
            return at - names_.begin();
    return std::nullopt;
}

std::size_t TableColumns::require(std::initializer_list<std::string_view> names) const {
    if (const auto column = find(names)) return *column;
    throw core::FormatError({.file = path_,
                             .object = "header",
                             .expected = fmt::format("a column {}", fmt::join(names, " or ")),
                             .found = fmt::format("{}", fmt::join(names_, ", ")),
                             .hint = "rename the column that has it"});
}

std::string cell(const std::vector<std::string_view>& fields, std::optional<std::size_t> column) {
    return column && *column < fields.size() ? std::string(fields[*column]) : std::string();
}

}  // namespace smeta::analysis::detail
