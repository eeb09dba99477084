#include "smeta/align/reassign.hpp"

#include "smeta/core/error.hpp"

#include "contributions.hpp"

namespace smeta::align {

SpotValues average_nearest(const core::CsrView& pixel_values,
                           const Eigen::Ref<const core::MatrixD>& pixels,
                           const Eigen::Ref<const core::MatrixD>& spots, std::int64_t k,
                           double radius) {
    core::check(pixel_values.rows == pixels.rows(), "a position for every pixel");
    detail::Contributions near = detail::nearest(pixels, spots, k, radius);
    const std::vector<std::int64_t> used = detail::renumber(near, pixels.rows());
    SpotValues result;
    result.values =
        detail::average(core::select_rows(pixel_values, used), near, detail::Rounding::None);
    for (std::int64_t spot = 0; spot < near.targets(); ++spot)
        result.pixels.push_back(near.count(spot));
    return result;
}

}  // namespace smeta::align
