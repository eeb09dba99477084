#include "smeta/io/labels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::io {

namespace {

std::size_t label_column(const TextColumns& table, const std::string& path) {
    if (const auto column = table.find("label")) return *column;
    constexpr std::array<std::string_view, 6> kKeys{"spot", "x", "y", "pixel_x", "pixel_y", ""};
    std::optional<std::size_t> only;
    for (std::size_t i = 0; i < table.header.size(); ++i) {
        if (std::find(kKeys.begin(), kKeys.end(), table.header[i]) != kKeys.end()) continue;
        if (only)
            throw core::FormatError({path, "header", "a column 'label'",
                                     fmt::format("columns {}", fmt::join(table.header, ", ")), ""});
        only = i;
    }
    if (!only) return table.column("label");
    return *only;
}

std::string position_key(double x, double y) {
    return fmt::format("{}x{}", std::llround(x), std::llround(y));
}

}  // namespace

std::vector<std::string> read_labels(const std::string& path, const Frame& obs,
                                     std::int64_t& matched) {
    const TextColumns table = read_text_columns(path);
    const auto spot = table.find("spot");
    const std::size_t label = label_column(table, path);
    std::unordered_map<std::string, std::string> label_of;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const auto line = static_cast<std::int64_t>(i) + 2;
        const auto number = [&](const char* name) {
            return require_number(table.rows[i][table.column(name)], path, line, name);
        };
        std::string key;
        if (spot) {
            key = table.rows[i][*spot];
        } else {
            const double x = number("x");
            const double y = number("y");
            if (!std::isfinite(x) || !std::isfinite(y)) continue;
            key = position_key(x, y);
        }
        const auto [it, added] = label_of.emplace(key, table.rows[i][label]);
        if (!added && it->second != table.rows[i][label])
            throw core::FormatError(
                {path, fmt::format("line {}", line), "one label a spot",
                 fmt::format("'{}' and '{}' for '{}'", it->second, table.rows[i][label], key), ""});
    }
    std::vector<std::string> keys = obs.index;
    if (!spot) {
        const std::vector<double> columns = obs.as_number("array_col", path);
        const std::vector<double> rows = obs.as_number("array_row", path);
        for (std::size_t s = 0; s < keys.size(); ++s) keys[s] = position_key(columns[s], rows[s]);
    }
    matched = 0;
    std::vector<std::string> labels;
    for (const std::string& key : keys) {
        const auto it = label_of.find(key);
        const bool known = it != label_of.end() && !it->second.empty() && it->second != "NA";
        matched += known ? 1 : 0;
        labels.push_back(known ? it->second : kUndetermined);
    }
    return labels;
}

}  // namespace smeta::io
