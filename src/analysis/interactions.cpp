#include "smeta/analysis/interactions.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/text_table.hpp"

#include "table_columns.hpp"

namespace smeta::analysis {
namespace {

using detail::cell;
using detail::lower;

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split(const std::string& text, const std::string& separator) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find(separator, at), text.size());
        if (const auto part = trimmed(text.substr(at, end - at)); !part.empty())
            parts.push_back(part);
        at = end + separator.size();
    }
    return parts;
}

/// Collects rows; each pair of molecules once.
class Collected {
  public:
    void add(NamedInteraction interaction) {
        if (interaction.sender.empty() || interaction.receiver.empty()) return;
        if (seen_.insert({interaction.sender, interaction.receiver}).second)
            all_.push_back(std::move(interaction));
    }
    std::vector<NamedInteraction> take(const std::string& path, const std::string& what) {
        if (all_.empty())
            throw core::FormatError({.file = path,
                                     .object = "rows",
                                     .expected = what,
                                     .found = "none",
                                     .hint = "one pair a row, complexes joined by '&'"});
        return std::move(all_);
    }

  private:
    std::set<std::pair<std::string, std::string>> seen_;
    std::vector<NamedInteraction> all_;
};

/// The feature if every sample measured it.
std::optional<std::int32_t> measured(const ValueFeatures& features, std::string_view modality,
                                     const std::string& name) {
    const auto found = features.find(modality, name);
    if (!found || features.is_measured.col(*found).minCoeff() == 0) return std::nullopt;
    return found;
}

/// Genes of a complex; empty unless all are measured.
std::vector<std::int32_t> genes_of(const ValueFeatures& features, const std::string& complex) {
    std::vector<std::int32_t> parts;
    for (const auto& gene : split(complex, "&")) {
        const auto found = measured(features, "st", gene);
        if (!found) return {};
        parts.push_back(*found);
    }
    return parts;
}

/// Names of the m/z that a metabolite may be.
std::set<std::string> masses_of(const NamedInteraction& named, const MetaboliteKeys& keys) {
    std::set<std::string> names;
    if (named.mz > 0)
        for (const auto& mass : keys.masses)
            if (std::abs(mass.mz - named.mz) <= named.mz * keys.ppm * 1e-6) names.insert(mass.name);
    if (!names.empty()) return names;
    for (const auto& key : named.keys)
        if (const auto found = keys.features.find(lower(key)); found != keys.features.end())
            return found->second;
    return names;
}

void add_metabolite(const NamedInteraction& named, const ValueFeatures& features,
                    const MetaboliteKeys& keys, std::vector<Interaction>& all) {
    Interaction interaction{named.kind, named.sender, named.receiver,
                            named.type, {},           genes_of(features, named.receiver)};
    if (interaction.receiver_parts.empty()) return;
    if (const auto found = measured(features, "sm", named.sender)) {
        interaction.sender_parts = {*found};
        all.push_back(std::move(interaction));
        return;
    }
    for (const auto& name : masses_of(named, keys))
        if (const auto found = measured(features, "sm", name)) {
            interaction.sender = fmt::format("{} [{}]", named.sender, name);
            interaction.sender_parts = {*found};
            all.push_back(interaction);
        }
}

}  // namespace

std::string to_string(InteractionKind kind) {
    return kind == InteractionKind::LigandReceptor ? "ligand-receptor" : "metabolite-sensor";
}

std::vector<NamedInteraction> read_ligand_receptor(const std::string& path) {
    io::TextTable table(path);
    std::vector<std::string_view> fields;
    const bool has_header = table.next(fields);
    const detail::TableColumns columns(path, has_header ? fields : std::vector<std::string_view>{});
    const auto ligand = columns.require({"ligand", "source", "partner_a", "gene_a"});
    const auto receptor = columns.require({"receptor", "target", "partner_b", "gene_b"});
    const auto type = columns.find({"type", "classification", "pathway"});
    Collected collected;
    while (table.next(fields)) {
        NamedInteraction row;
        row.sender = trimmed(cell(fields, ligand));
        row.receiver = trimmed(cell(fields, receptor));
        row.type = trimmed(cell(fields, type));
        collected.add(std::move(row));
    }
    return collected.take(path, "pairs of ligand and receptor");
}

std::vector<NamedInteraction> read_metabolite_sensor(const std::string& path) {
    io::TextTable table(path);
    std::vector<std::string_view> fields;
    const bool has_header = table.next(fields);
    const detail::TableColumns columns(path, has_header ? fields : std::vector<std::string_view>{});
    const auto metabolite =
        columns.require({"metabolite", "standard_metname", "metabolite_name", "name"});
    const auto sensor = columns.require({"sensor", "gene_name", "receptor", "gene"});
    const auto mz = columns.find({"mz"});
    const auto formula = columns.find({"formula"});
    const auto id = columns.find({"id", "hmdb_id", "accession"});
    const auto type = columns.find({"type", "annotation"});
    Collected collected;
    while (table.next(fields)) {
        NamedInteraction row;
        row.kind = InteractionKind::MetaboliteSensor;
        row.sender = trimmed(cell(fields, metabolite));
        row.receiver = trimmed(cell(fields, sensor));
        row.type = trimmed(cell(fields, type));
        for (const auto& key : {cell(fields, id), row.sender, cell(fields, formula)})
            if (!trimmed(key).empty()) row.keys.push_back(trimmed(key));
        const double mass = io::require_number(cell(fields, mz), path, table.line_number(), "mz");
        row.mz = std::isfinite(mass) ? mass : 0;
        collected.add(std::move(row));
    }
    return collected.take(path, "pairs of metabolite and sensor");
}

std::map<std::string, std::set<std::string>> read_annotation_keys(const std::string& path,
                                                                  double fdr) {
    const auto table = io::read_text_columns(path);
    const auto feature = table.column("feature");
    const auto formula = table.column("formula");
    const auto ids = table.column("ids");
    const auto names = table.column("names");
    const auto rate = table.column("fdr");
    std::map<std::string, std::set<std::string>> keys;
    std::int64_t line = 1;
    for (const auto& row : table.rows) {
        ++line;
        if (io::require_number(row[rate], path, line, "fdr") > fdr) continue;
        keys[lower(row[formula])].insert(row[feature]);
        for (const auto column : {ids, names})
            for (const auto& key : split(row[column], "; ")) keys[lower(key)].insert(row[feature]);
    }
    return keys;
}

std::vector<Interaction> measured_interactions(const std::vector<NamedInteraction>& named,
                                               const ValueFeatures& features,
                                               const MetaboliteKeys& keys) {
    std::vector<Interaction> all;
    for (const auto& entry : named) {
        if (entry.kind == InteractionKind::MetaboliteSensor) {
            add_metabolite(entry, features, keys, all);
            continue;
        }
        Interaction interaction{entry.kind,
                                entry.sender,
                                entry.receiver,
                                entry.type,
                                genes_of(features, entry.sender),
                                genes_of(features, entry.receiver)};
        if (!interaction.sender_parts.empty() && !interaction.receiver_parts.empty())
            all.push_back(std::move(interaction));
    }
    return all;
}

}  // namespace smeta::analysis
