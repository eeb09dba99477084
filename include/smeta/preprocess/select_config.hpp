#pragma once

#include <cstdint>
#include <optional>

#include "smeta/core/config.hpp"

namespace smeta::preprocess {

enum class BatchBiased { Remove, Keep };
/// Which features may be selected where samples measured different ones: any, those that are masked
/// in the samples that lack them; or those alone that every sample measured.
enum class FeaturePolicy { Union, Intersection };

/// Selection of spatially variable features. Unset numbers take the default for the number of
/// samples that have the modality: n_genes 2000, n_metabolites 800 for one; 2500, 1000 and
/// min_samples min(3, samples) for several.
struct SelectConfig {
    std::optional<std::int64_t> n_genes;
    std::optional<std::int64_t> n_metabolites;
    std::optional<std::int64_t> min_samples;
    FeaturePolicy features = FeaturePolicy::Union;
    double min_coverage = 0.0;  ///< share of the samples with the modality that measured a feature
    BatchBiased batch_biased = BatchBiased::Remove;
    double min_frac = 0.9;
    double min_logfc = 3.0;
};

/// Adds the keys select.*.
void bind(core::ConfigTable& table, SelectConfig& config);

}  // namespace smeta::preprocess

template <>
struct smeta::core::ConfigEnum<smeta::preprocess::BatchBiased> {
    using E = smeta::preprocess::BatchBiased;
    static constexpr std::pair<E, std::string_view> kNames[] = {{E::Remove, "remove"},
                                                                {E::Keep, "keep"}};
};

template <>
struct smeta::core::ConfigEnum<smeta::preprocess::FeaturePolicy> {
    using E = smeta::preprocess::FeaturePolicy;
    static constexpr std::pair<E, std::string_view> kNames[] = {{E::Union, "union"},
                                                                {E::Intersection, "intersection"}};
};
