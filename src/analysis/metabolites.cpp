#include "smeta/analysis/metabolites.hpp"

#include <algorithm>
#include <cctype>
#include <initializer_list>
#include <map>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/error.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::analysis {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

/// Positions of the columns that are used.
class Columns {
  public:
    Columns(const std::string& path, const std::vector<std::string_view>& header) : path_(path) {
        for (const auto name : header) names_.push_back(lower(name));
    }
    std::optional<std::size_t> find(std::initializer_list<std::string_view> names) const {
        for (const auto name : names)
            if (const auto at = std::find(names_.begin(), names_.end(), name); at != names_.end())
                return at - names_.begin();
        return std::nullopt;
    }
    std::size_t require(std::initializer_list<std::string_view> names) const {
        if (const auto column = find(names)) return *column;
        throw core::FormatError({.file = path_,
                                 .object = "header",
                                 .expected = fmt::format("a column {}", fmt::join(names, " or ")),
                                 .found = fmt::format("{}", fmt::join(names_, ", ")),
                                 .hint = "rename the column that has it"});
    }

  private:
    std::string path_;
    std::vector<std::string> names_;
};

std::string cell(const std::vector<std::string_view>& fields, std::optional<std::size_t> column) {
    return column && *column < fields.size() ? std::string(fields[*column]) : std::string();
}

}  // namespace

MetaboliteTable read_metabolites(const std::string& path) {
    io::TextTable table(path);
    std::vector<std::string_view> fields;
    const bool has_header = table.next(fields);
    const Columns columns(path, has_header ? fields : std::vector<std::string_view>{});
    const auto formula = columns.require({"formula", "chemical_formula"});
    const auto name = columns.require({"name", "mol_name", "common_name"});
    const auto id = columns.find({"accession", "id", "mol_id", "hmdb_id", "lm_id"});
    const auto main_class = columns.find({"class"});
    const auto sub_class = columns.find({"sub_class"});

    MetaboliteTable result;
    result.file = path;
    std::map<std::string, Isomers> isomers;
    while (table.next(fields)) {
        const auto atoms = parse_formula(cell(fields, formula));
        if (!atoms) {
            ++result.unread;
            continue;
        }
        const auto text = to_string(*atoms);
        auto& same = isomers[text];
        if (same.metabolites.empty()) {
            same.formula = *atoms;
            same.text = text;
        }
        same.metabolites.push_back(static_cast<std::int32_t>(result.metabolites.size()));
        Metabolite metabolite{cell(fields, id), cell(fields, name), cell(fields, main_class),
                              cell(fields, sub_class)};
        if (metabolite.id.empty()) metabolite.id = metabolite.name;
        result.metabolites.push_back(std::move(metabolite));
    }
    for (auto& [text, same] : isomers) result.isomers.push_back(std::move(same));
    if (result.isomers.empty())
        throw core::FormatError({.file = path,
                                 .object = "formulas",
                                 .expected = "chemical formulas such as C6H12O6",
                                 .found = fmt::format("none in {} rows", result.unread),
                                 .hint = ""});
    return result;
}

}  // namespace smeta::analysis
