#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/run.hpp"

namespace smeta::atlas {

/// Column of var of a selection and a run: the other names that samples have for a feature, one a
/// line.
inline constexpr std::string_view kOtherNames = "other_names";
/// Column of var of genes whose sample has a level `species`.
inline constexpr std::string_view kSpecies = "species";

/// How far apart m/z of one metabolite may be (`ingest.mz_ppm`, `ingest.max_bin_ppm`).
struct MassTolerance {
    double ppm = 5;
    std::optional<double> max_bin_ppm = {};
};

/// Finds the features that samples of different cohorts name differently. `vars`: var of one
/// modality of every sample, in canonical order. Two names are one feature when no sample has both
/// and
/// - their `gene_id` without its version is the same (a symbol and its synonym), or
/// - neither has a `gene_id`, their polarity is the same, the consensus bin that holds their `mz`
///   (mean over samples) is the same, and neither's `formula` and `adduct` contradict the other's.
/// The consensus bins of a polarity are the union of the intervals of all samples: m/z +-
/// `half_width`, or +-ppm without one, cut where wider than `max_bin_ppm` (io::MzCollector). Where
/// a bin holds two names of a sample, or names that contradict, its names are grouped in ascending
/// order of m/z instead, no further than 2 ppm from the first: columns are never summed.
/// Returns the common name of each name that is not common itself: the one that most samples have,
/// of several the first bytewise. Depends on what samples hold, not on the order in which they came
/// into the atlas. ConfigError for tolerances that io::MzCollector refuses. Local.
std::map<std::string, std::string> common_features(const std::vector<const io::Frame*>& vars,
                                                   const MassTolerance& mass);

/// Genes of two species are two genes, also where their symbols coincide: a name that samples of
/// several species have gets "_SPECIES" in each var that has the column `species`. Local.
void separate_species(const std::vector<io::Frame*>& vars);

/// The feature that each column of a sample holds, by its name or another one of its names, of the
/// sample's species where both say so. -1: none. Local.
std::vector<std::int32_t> features_in(const io::Frame& var, const ModalityFeatures& features);
/// What the columns of a sample are called in the run: names of features, else as in the file.
/// Local.
std::vector<std::string> names_in(const io::Frame& var, const ModalityFeatures& features);

}  // namespace smeta::atlas
