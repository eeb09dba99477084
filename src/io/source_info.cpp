#include "smeta/io/source_info.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/text_table.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::io {

namespace {

const UnsValue* find_entry(const UnsDict& dict, const std::string& key) {
    const auto it = dict.find(key);
    return it == dict.end() ? nullptr : &it->second;
}

const UnsDict* find_dict(const UnsDict& dict, const std::string& key) {
    const UnsValue* entry = find_entry(dict, key);
    return entry == nullptr ? nullptr : std::get_if<UnsDict>(&entry->value);
}

UnsDict& open_dict(UnsDict& dict, const std::string& key) {
    UnsValue& entry = dict[key];
    if (!std::holds_alternative<UnsDict>(entry.value)) entry.value = UnsDict();
    return std::get<UnsDict>(entry.value);
}

}  // namespace

void set_unit(AnnData& data, const std::string& unit, std::optional<double> microns_per_unit) {
    UnsDict& smeta = open_dict(data.uns, "smeta");
    smeta["unit"].value = unit;
    if (microns_per_unit) smeta["microns_per_unit"].value = *microns_per_unit;
}

std::string unit(const AnnData& data) {
    const UnsDict* smeta = find_dict(data.uns, "smeta");
    const UnsValue* entry = smeta == nullptr ? nullptr : find_entry(*smeta, "unit");
    const auto* text = entry == nullptr ? nullptr : std::get_if<std::string>(&entry->value);
    return text == nullptr ? std::string() : *text;
}

std::optional<double> microns_per_unit(const AnnData& data) {
    const UnsDict* smeta = find_dict(data.uns, "smeta");
    const UnsValue* entry = smeta == nullptr ? nullptr : find_entry(*smeta, "microns_per_unit");
    const auto* value = entry == nullptr ? nullptr : std::get_if<double>(&entry->value);
    return value == nullptr ? std::nullopt : std::optional<double>(*value);
}

void note_dropped(AnnData& data, const std::string& reason, std::int64_t count) {
    if (count == 0) return;
    UnsDict& reasons = open_dict(open_dict(data.uns, "smeta"), "dropped");
    reasons[reason].value = dropped(data, reason) + count;
}

std::int64_t dropped(const AnnData& data, std::string_view reason) {
    const UnsDict* smeta = find_dict(data.uns, "smeta");
    const UnsDict* reasons = smeta == nullptr ? nullptr : find_dict(*smeta, "dropped");
    const UnsValue* entry =
        reasons == nullptr ? nullptr : find_entry(*reasons, std::string(reason));
    const auto* count = entry == nullptr ? nullptr : std::get_if<std::int64_t>(&entry->value);
    return count == nullptr ? 0 : *count;
}

std::map<std::string, std::int64_t> dropped(const AnnData& data) {
    std::map<std::string, std::int64_t> counts;
    const UnsDict* smeta = find_dict(data.uns, "smeta");
    const UnsDict* reasons = smeta == nullptr ? nullptr : find_dict(*smeta, "dropped");
    if (reasons == nullptr) return counts;
    for (const auto& [reason, entry] : *reasons)
        if (const std::int64_t count = dropped(data, reason); count > 0) counts[reason] = count;
    return counts;
}

namespace {

MatrixValues select_matrix(const MatrixValues& values, const std::vector<std::int64_t>& rows) {
    if (const auto* csr = std::get_if<core::CountsCsr>(&values))
        return core::select_rows(*csr, rows);
    const auto& dense = std::get<core::MatrixF>(values);
    core::MatrixF result(rows.size(), dense.cols());
    for (std::size_t i = 0; i < rows.size(); ++i) result.row(i) = dense.row(rows[i]);
    return result;
}

}  // namespace

void select_observations(AnnData& data, const std::vector<std::int64_t>& rows) {
    core::check(data.obsp.empty(), "no pairwise matrix when rows are selected");
    data.obs = data.obs.select(rows);
    if (data.x) data.x = select_matrix(*data.x, rows);
    for (auto& [name, layer] : data.layers) layer = select_matrix(layer, rows);
    for (auto& [name, values] : data.obsm) {
        core::MatrixD kept(rows.size(), values.cols());
        for (std::size_t i = 0; i < rows.size(); ++i) kept.row(i) = values.row(rows[i]);
        values = std::move(kept);
    }
}

void drop_zero_rows(AnnData& data) {
    core::check(data.x.has_value(), "a matrix whose rows are summed");
    const core::CountsCsr x = to_csr(*data.x);
    const std::vector<double> sums = core::row_sums(x);
    std::vector<std::int64_t> kept;
    for (std::int64_t r = 0; r < x.rows; ++r)
        if (sums[r] != 0.0) kept.push_back(r);  // NaN stays: the value policy decides
    if (static_cast<std::int64_t>(kept.size()) == x.rows) return;
    select_observations(data, kept);
    note_dropped(data, "zero_total", x.rows - static_cast<std::int64_t>(kept.size()));
}

std::vector<std::string> make_unique(std::vector<std::string> names) {
    std::unordered_set<std::string> taken(names.begin(), names.end());
    if (taken.size() == names.size()) return names;
    std::unordered_set<std::string> seen;
    std::unordered_map<std::string, std::int64_t> repeats;
    for (std::string& name : names) {
        if (seen.insert(name).second) continue;
        std::int64_t& count = repeats[name];
        std::string candidate;
        do {
            candidate = fmt::format("{}-{}", name, ++count);
        } while (!taken.insert(candidate).second);
        name = candidate;
    }
    return names;
}

bool is_ensembl_id(std::string_view text) {
    if (!text.starts_with("ENS")) return false;
    const std::size_t digits = text.find_first_of("0123456789");
    if (digits == std::string_view::npos || digits < 4) return false;
    std::size_t end = digits;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    const char kind = text[digits - 1];
    return end - digits == 11 && (kind == 'G' || kind == 'T' || kind == 'P');
}

std::string cut_version(std::string_view id) {
    if (!is_ensembl_id(id)) return std::string(id);
    const std::size_t dot = id.find('.');
    if (dot == std::string_view::npos || dot + 1 == id.size()) return std::string(id);
    for (const char c : id.substr(dot + 1))
        if (c < '0' || c > '9') return std::string(id);
    return std::string(id.substr(0, dot));
}

Frame gene_frame(const std::vector<std::string>& symbols, const std::vector<std::string>& ids,
                 const std::string& file) {
    core::check(ids.empty() || ids.size() == symbols.size(), "one id a symbol");
    std::vector<std::string> names = symbols;
    std::vector<std::string> cut(symbols.size());
    std::vector<std::string> known;
    for (std::size_t g = 0; g < symbols.size(); ++g) {
        if (!ids.empty())
            cut[g] = cut_version(ids[g]);
        else if (is_ensembl_id(symbols[g]))
            cut[g] = cut_version(symbols[g]);
        if (names[g].empty() || (ids.empty() && !cut[g].empty())) names[g] = cut[g];
        if (!cut[g].empty()) known.push_back(cut[g]);
    }
    check_unique(known, "feature id", file);
    Frame var;
    var.index = make_unique(std::move(names));
    if (!known.empty()) var.set("gene_id", std::move(cut));
    return var;
}

std::string metabolite_name(double mz, std::string_view polarity) {
    return polarity.empty() ? fmt::format("mz_{:.4f}", mz)
                            : fmt::format("mz_{:.4f}_{}", mz, polarity);
}

std::optional<double> mz_from_name(std::string_view name) {
    const std::string_view all = name;
    for (const std::string_view prefix : {"mz", "MZ", "m/z", "X"})
        if (name.starts_with(prefix)) {
            name.remove_prefix(prefix.size());
            break;
        }
    const bool bare = name.size() == all.size();
    while (!bare && !name.empty() && (name[0] == '-' || name[0] == '_' || name[0] == ' '))
        name.remove_prefix(1);
    const std::size_t end = name.find_first_not_of("0123456789.");
    const std::string_view digits = name.substr(0, end);
    const std::string_view rest = name.substr(digits.size());
    if (digits.empty() || !(rest.empty() || (!bare && (rest[0] == '_' || rest[0] == '-'))))
        return std::nullopt;
    const auto value = parse_number(digits);
    return value && *value > 0 ? value : std::nullopt;
}

void add_mz_columns(Frame& var, std::string_view polarity) {
    if (var.find("mz") == nullptr) {
        std::vector<double> mz(var.index.size(), std::numeric_limits<double>::quiet_NaN());
        bool any = false;
        for (std::size_t i = 0; i < mz.size(); ++i)
            if (const auto value = mz_from_name(var.index[i])) {
                mz[i] = *value;
                any = true;
            }
        if (!any) return;
        var.set("mz", std::move(mz));
    }
    if (var.find("polarity") == nullptr)
        var.set("polarity", std::vector<std::string>(var.index.size(), std::string(polarity)));
}

}  // namespace smeta::io
