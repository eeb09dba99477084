#include "smeta/analysis/metabolites.hpp"

#include <map>
#include <string_view>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/text_table.hpp"

#include "table_columns.hpp"

namespace smeta::analysis {

MetaboliteTable read_metabolites(const std::string& path) {
    using detail::cell;
    io::TextTable table(path);
    std::vector<std::string_view> fields;
    const bool has_header = table.next(fields);
    const detail::TableColumns columns(path, has_header ? fields : std::vector<std::string_view>{});
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
