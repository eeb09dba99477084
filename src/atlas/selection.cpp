#include "smeta/atlas/selection.hpp"

#include <algorithm>
#include <tuple>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

namespace smeta::atlas {

namespace {

bool is_statistic(const std::string& column) {
    return column == "selected" || column == "reason" || column == "n_lists" ||
           column == "biased_in" || column.starts_with("moran_") || column.starts_with("measured_");
}

ModalityFeatures selected_features(const std::string& name, const io::Frame& var,
                                   const std::string& file) {
    const std::vector<double> selected = var.as_number("selected", file);
    std::vector<std::int64_t> rows;
    for (std::int64_t f = 0; f < var.rows(); ++f)
        if (selected[f] != 0.0) rows.push_back(f);
    ModalityFeatures features;
    features.name = name;
    features.var = var.select(rows);
    std::erase_if(features.var.columns,
                  [](const auto& column) { return is_statistic(column.first); });
    if (!std::is_sorted(features.var.index.begin(), features.var.index.end()))
        throw core::FormatError({file, "mod/" + name + "/var", "names in bytewise order",
                                 "another order", "run smeta select again"});
    return features;
}

}  // namespace

bool model_order(std::string_view a, std::string_view b) {
    const auto rank = [](std::string_view name) { return name == "sm" ? 0 : name == "st" ? 1 : 2; };
    return std::tuple(rank(a), a) < std::tuple(rank(b), b);
}

FeatureSet read_selection(const ShardedAtlas& atlas) {
    const std::string file = atlas.stage_file("", kSelect).string();
    const io::MuData tables = io::read_h5mu(file);
    FeatureSet result;
    for (const auto& [name, data] : tables.modalities)
        result.modalities.push_back(selected_features(name, data.var, file));
    std::sort(result.modalities.begin(), result.modalities.end(),
              [](const auto& a, const auto& b) { return model_order(a.name, b.name); });
    return result;
}

std::vector<SelectionCoverage> selection_coverage(const ShardedAtlas& atlas) {
    if (atlas.manifest().find("", kSelect) == nullptr) return {};
    const std::string file = atlas.stage_file("", kSelect).string();
    io::MuData tables = io::read_h5mu(file);
    std::sort(tables.modalities.begin(), tables.modalities.end(),
              [](const auto& a, const auto& b) { return model_order(a.first, b.first); });
    std::vector<SelectionCoverage> result;
    for (const std::string& sample : atlas.samples())
        for (const auto& [name, data] : tables.modalities) {
            const std::string column = "measured_" + sample;
            if (data.var.find(column) == nullptr) continue;
            const auto selected = data.var.as_number("selected", file);
            const auto measured = data.var.as_number(column, file);
            SelectionCoverage coverage{sample, name, 0, 0};
            for (std::size_t f = 0; f < selected.size(); ++f) {
                if (selected[f] == 0) continue;
                ++coverage.selected;
                coverage.measured += measured[f] != 0 ? 1 : 0;
            }
            result.push_back(std::move(coverage));
        }
    return result;
}

}  // namespace smeta::atlas
