#pragma once

#include <cstdint>
#include <vector>

namespace smeta::align::detail {

/// Distance, in cells, from every cell to the nearest one that is set (0 there); a large number
/// when none is. Exact Euclidean, linear time (Felzenszwalb and Huttenlocher 2012).
std::vector<float> distance_to(const std::vector<std::uint8_t>& set, std::int64_t nx,
                               std::int64_t ny);

}  // namespace smeta::align::detail
