#pragma once

#include <cstdint>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::stats {

struct PrincipalComponents {
    core::MatrixD scores;          ///< rows x components, of the column-centred data
    std::vector<double> variance;  ///< of each component (n - 1 in the denominator), descending
};

/// The leading principal components of `data` (rows x columns; the columns are centred in place,
/// not scaled) by randomised subspace iteration (Halko et al. 2011) with 10 spare directions and 5
/// power steps; exact where the spare directions span the data. `count` is cut to min(rows,
/// columns). Signs: the largest loading of a component is positive. The same data and seed give the
/// same numbers. Local.
PrincipalComponents principal_components(core::MatrixF data, std::int32_t count,
                                         std::uint64_t seed);

}  // namespace smeta::stats
