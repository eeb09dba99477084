#include "finish_sample.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/atlas/common_features.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::atlas {

namespace {

std::string file_of(const SampleSource& source, const std::string& modality) {
    if (!source.joint.empty()) return source.joint;
    if (const auto other = source.others.find(modality); other != source.others.end())
        return other->second;
    return modality == "st" || source.sm.empty() ? source.st : source.sm.front();
}

io::Categorical constant(std::int64_t rows, const std::string& value) {
    return {std::vector<std::int32_t>(static_cast<std::size_t>(rows), 0), {value}, false};
}

void check_modality(const io::AnnData& data, const std::string& file) {
    if (data.obs.rows() == 0)
        throw core::FormatError({file, "", "at least one spot or pixel", "none", ""});
    if (data.var.rows() == 0)
        throw core::FormatError({file, "", "at least one feature", "none", ""});
    io::check_unique(data.obs.index, "spot name", file);
    io::check_unique(data.var.index, "feature name", file);
}

/// Metabolites never share a gene's name: var_names are unique over modalities.
void separate_feature_names(io::MuData& data) {
    std::unordered_set<std::string> used;
    const auto take = [&](const std::string& modality, io::AnnData& values) {
        for (auto& name : values.var.index)
            while (!used.insert(name).second) {
                core::log_warning(
                    "'{}' names features of two modalities; that of {} becomes '{}_{}'", name,
                    modality, name, modality);
                name += "_" + modality;
            }
    };
    for (auto& [name, values] : data.modalities)
        if (name == "st") take(name, values);
    for (auto& [name, values] : data.modalities)
        if (name != "st") take(name, values);
}

}  // namespace

io::Categorical categorical(const std::vector<std::string>& values) {
    io::Categorical result;
    result.categories = values;
    std::sort(result.categories.begin(), result.categories.end());
    result.categories.erase(std::unique(result.categories.begin(), result.categories.end()),
                            result.categories.end());
    for (const auto& value : values)
        result.codes.push_back(static_cast<std::int32_t>(
            std::lower_bound(result.categories.begin(), result.categories.end(), value) -
            result.categories.begin()));
    return result;
}

void check_coordinates(const io::AnnData& data, const std::string& file) {
    const auto found = data.obsm.find("spatial");
    if (found == data.obsm.end()) return;
    const auto& places = found->second;
    if (places.cols() < 2)
        throw core::FormatError({file, "obsm/spatial", "two columns, x and y",
                                 fmt::format("{}", places.cols()),
                                 "give both, or leave obsm/spatial out"});
    for (Eigen::Index row = 0; row < places.rows(); ++row)
        if (!std::isfinite(places(row, 0)) || !std::isfinite(places(row, 1)))
            throw core::FormatError({file, fmt::format("coordinates of '{}'", data.obs.index[row]),
                                     "finite x and y",
                                     fmt::format("{}, {}", places(row, 0), places(row, 1)),
                                     "leave the row out, or give it a position"});
}

void finish_sample(io::MuData& data, const SampleSource& source, const std::string& cohort) {
    for (auto& [name, modality] : data.modalities) {
        check_modality(modality, file_of(source, name));
        const auto rows = modality.obs.rows();
        for (const auto& [level, value] : source.obs)
            modality.obs.set(level, constant(rows, value));
        if (const auto species = source.obs.find(std::string(kSpecies));
            name == "st" && species != source.obs.end())
            modality.var.set(species->first,
                             std::vector<std::string>(modality.var.index.size(), species->second));
        modality.obs.set("sample", constant(rows, source.name));
        modality.obs.set("cohort", constant(rows, cohort));
        const bool pixels = name == "sm" && source.joint.empty();
        if (!pixels || modality.obs.find("x") == nullptr)
            modality.obs.set("spot", modality.obs.index);
    }
    separate_feature_names(data);
}

}  // namespace smeta::atlas
