#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smeta::analysis::detail {

/// ASCII letters in lower case.
std::string lower(std::string_view text);

/// Positions of the columns of a user's table by any of their usual names; upper and lower case are
/// equal.
class TableColumns {
  public:
    TableColumns(std::string path, const std::vector<std::string_view>& header);
    std::optional<std::size_t> find(std::initializer_list<std::string_view> names) const;
    /// FormatError listing the columns that are there.
    std::size_t require(std::initializer_list<std::string_view> names) const;

  private:
    std::string path_;
    std::vector<std::string> names_;
};

/// A field, empty where the row is too short or there is no such column.
std::string cell(const std::vector<std::string_view>& fields, std::optional<std::size_t> column);

}  // namespace smeta::analysis::detail
