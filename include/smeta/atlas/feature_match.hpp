#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/io/annotated.hpp"

namespace smeta::atlas {

/// Which columns of a sample hold which features of a run.
struct FeatureMatch {
    std::vector<std::int32_t> feature;  ///< of each column; -1: none
    std::int64_t by_name = 0;
    std::int64_t by_id = 0;
    std::int64_t by_mass = 0;

    std::int64_t matched() const { return by_name + by_id + by_mass; }
};

/// Finds the columns of a sample (`var`) that are features of a run, for samples that were named
/// apart from it. A feature takes, in this order,
/// - the column of its name (or of one that its run's samples have for it), unless the gene ids of
/// both are of different species (ENSG..., and
///   ENSMUSG..., as their letters tell): the symbols of two species mean two genes;
/// - the column of its `gene_id` (a version suffix is cut): a symbol that was renamed;
/// - the column with an `mz` within `ppm` of its own and not of the other `polarity`; pairs closest
///   in m/z first, equal ones bytewise by name.
/// Each column and each feature is taken once. Does not depend on the order of columns. Local.
FeatureMatch match_features(const io::Frame& features, const io::Frame& var, double ppm);

}  // namespace smeta::atlas
