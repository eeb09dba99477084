#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/core/config.hpp"

namespace smeta::preprocess {

/// Gene families that say more about the handling of the tissue than about its biology:
/// mitochondrial, ribosomal protein, heat shock and DnaJ genes. Human: MT-, RPS, RPL, HSP, DNAJ;
/// mouse: mt-, Rps, Rpl, Hsp, Dnaj.
enum class GeneFamilies { None, Human, Mouse };

/// Thresholds of quality control; unset = off. Limits of pixels are strict (kept: above the
/// minimum, below the maximum), limits of spots and features include their value, as in SpatialMETA
/// and scanpy.
struct QcConfig {
    std::optional<double> sm_min_total;
    std::optional<double> sm_max_total;
    std::optional<double> sm_min_mean;
    std::optional<double> sm_max_mean;
    std::optional<std::int64_t> sm_min_pixels;
    std::optional<std::int64_t> sm_max_pixels;
    std::optional<double> st_min_counts;
    std::optional<double> st_max_counts;
    std::optional<std::int64_t> st_min_genes;
    std::optional<std::int64_t> st_max_genes;
    std::optional<double> st_max_mt_fraction;
    std::optional<std::int64_t> st_min_spots;
    GeneFamilies drop_families = GeneFamilies::None;
    std::vector<std::string> drop_prefixes;
};

/// Adds the keys qc.*.
void bind(core::ConfigTable& table, QcConfig& config);
/// True when any threshold or list is set.
bool any_filter(const QcConfig& config);

}  // namespace smeta::preprocess

template <>
struct smeta::core::ConfigEnum<smeta::preprocess::GeneFamilies> {
    using E = smeta::preprocess::GeneFamilies;
    static constexpr std::pair<E, std::string_view> kNames[] = {
        {E::None, "none"}, {E::Human, "human"}, {E::Mouse, "mouse"}};
};
