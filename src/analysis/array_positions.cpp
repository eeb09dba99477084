#include "array_positions.hpp"

#include <algorithm>
#include <cmath>

namespace smeta::analysis::detail {

std::vector<double> array_columns(const io::Frame& obs, const std::string& file) {
    std::vector<double> columns;
    if (obs.find("array_row") == nullptr || obs.find("array_col") == nullptr) return columns;
    const auto row = obs.as_number("array_row", file);
    const auto column = obs.as_number("array_col", file);
    for (std::size_t i = 0; i < row.size(); ++i) columns.insert(columns.end(), {row[i], column[i]});
    return columns;
}

std::optional<spatial::ArrayPositions> array_positions(const std::vector<double>& columns) {
    const bool whole = !columns.empty() && std::all_of(columns.begin(), columns.end(),
                                                       [](double v) { return v == std::floor(v); });
    if (!whole) return std::nullopt;
    spatial::ArrayPositions positions;
    for (std::size_t i = 0; i < columns.size(); i += 2) {
        positions.row.push_back(static_cast<std::int64_t>(columns[i]));
        positions.column.push_back(static_cast<std::int64_t>(columns[i + 1]));
    }
    return positions;
}

}  // namespace smeta::analysis::detail
