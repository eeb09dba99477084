#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/core/matrix.hpp"

#include "footprint.hpp"

namespace smeta::align::detail {

/// Rows with finite coordinates.
std::vector<std::int64_t> placed(const core::MatrixD& points);
/// x and y of the given rows.
core::MatrixD select(const core::MatrixD& points, const std::vector<std::int64_t>& rows);

/// Which source rows each target row averages, and how much each counts.
struct Contributions {
    std::vector<std::int64_t> start{0};  ///< of each target's entries; one more at the end
    std::vector<std::int64_t> source;
    std::vector<double> weight;

    std::int64_t targets() const { return static_cast<std::int64_t>(start.size()) - 1; }
    std::int64_t count(std::int64_t target) const { return start[target + 1] - start[target]; }
    std::span<const double> weights(std::int64_t target) const {
        return std::span(weight).subspan(start[target], count(target));
    }
};

/// The `k` nearest sources within `radius` (inclusive; equal distances: the lowest row), nearest
/// first, of weight 1. Rows without a place (not finite) take and give nothing. Local.
Contributions nearest(const core::MatrixD& sources, const core::MatrixD& targets, std::int64_t k,
                      double radius);
/// All sources that share area with a target, ascending, by that area. As above.
Contributions overlapping(const Footprints& sources, const Footprints& targets);

/// Sources that any target needs, ascending; `contributions` then holds positions among them.
std::vector<std::int64_t> renumber(Contributions& contributions, std::int64_t sources);

/// Counts stay whole numbers: halves go to the even neighbour (spec A5).
enum class Rounding { None, HalfToEven };
/// Weighted means of the sources' rows; an empty row for a target without any.
core::CountsCsr average(const core::CsrView& values, const Contributions& contributions,
                        Rounding rounding);

}  // namespace smeta::align::detail
