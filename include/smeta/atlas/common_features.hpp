#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/run.hpp"

namespace smeta::atlas {

/// Column of var of a selection and a run: the other names that samples have for a feature, one a
/// line.
inline constexpr std::string_view kOtherNames = "other_names";

/// Finds the features that samples of different cohorts name differently. `vars`: var of one
/// modality of every sample, in canonical order. Two names are one feature when no sample has both
/// and
/// - their `gene_id` without its version is the same (a symbol and its synonym), or
/// - neither has a `gene_id`, their polarity is the same, their `mz` are at most 2 `mz_ppm` apart
///   (intervals of +-`mz_ppm` touch), and neither's `formula` and `adduct` contradict the other's;
///   m/z are taken in ascending order, so that a chain of them goes no further than that.
/// Returns the common name of each name that is not common itself: the one that most samples have,
/// of several the first bytewise. Depends on what samples hold, not on the order in which they came
/// into the atlas. Local.
std::map<std::string, std::string> common_features(const std::vector<const io::Frame*>& vars,
                                                   double mz_ppm);

/// What features are called that samples name differently: the common name by each other name, from
/// var `other_names`. Local.
std::map<std::string, std::string, std::less<>> common_names(const ModalityFeatures& features);

/// The feature that each column of a sample holds, by its name or another one of its names; -1:
/// none. Local.
std::vector<std::int32_t> features_in(const std::vector<std::string>& columns,
                                      const ModalityFeatures& features);

}  // namespace smeta::atlas
