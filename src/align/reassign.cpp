#include "smeta/align/reassign.hpp"

#include <algorithm>

#include "smeta/core/error.hpp"
#include "smeta/spatial/knn.hpp"

#include "joint_impl.hpp"

namespace smeta::align {

namespace detail {

PixelsInReach pixels_in_reach(const Eigen::Ref<const core::MatrixD>& pixels,
                              const Eigen::Ref<const core::MatrixD>& spots, std::int64_t k,
                              double radius) {
    PixelsInReach reach;
    reach.nearest = spatial::nearest_points(spatial::PointIndex(pixels), spots, k);
    std::vector<std::int64_t> position(pixels.rows(), -1);
    auto& neighbours = reach.nearest.neighbours;
    for (std::int64_t spot = 0; spot < reach.nearest.rows; ++spot) {
        const auto distances = reach.nearest.row_distances(spot);
        reach.counts.push_back(std::upper_bound(distances.begin(), distances.end(), radius) -
                               distances.begin());
        for (std::int64_t i = 0; i < reach.counts.back(); ++i)
            position[neighbours[spot * reach.nearest.k + i]] = 0;
    }
    for (std::size_t pixel = 0; pixel < position.size(); ++pixel) {
        if (position[pixel] < 0) continue;
        position[pixel] = static_cast<std::int64_t>(reach.used.size());
        reach.used.push_back(static_cast<std::int64_t>(pixel));
    }
    for (std::int64_t& neighbour : neighbours) neighbour = position[neighbour];
    return reach;
}

core::CountsCsr average(const core::CsrView& values, const PixelsInReach& reach) {
    core::CountsCsr result;
    result.cols = values.cols;
    std::vector<double> sums(values.cols, 0.0);
    std::vector<std::uint8_t> touched(values.cols, 0);
    std::vector<std::int32_t> columns;
    std::vector<float> means;
    for (std::int64_t spot = 0; spot < reach.nearest.rows; ++spot) {
        const std::int64_t count = reach.counts[spot];
        columns.clear();
        for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t pixel = reach.nearest.row_neighbours(spot)[i];
            const auto features = values.row_indices(pixel);
            const auto intensities = values.row_values(pixel);
            for (std::size_t e = 0; e < features.size(); ++e) {
                if (touched[features[e]] == 0) columns.push_back(features[e]);
                touched[features[e]] = 1;
                sums[features[e]] += intensities[e];
            }
        }
        std::sort(columns.begin(), columns.end());
        means.clear();
        for (const std::int32_t column : columns) {
            means.push_back(static_cast<float>(sums[column] / static_cast<double>(count)));
            sums[column] = 0.0;
            touched[column] = 0;
        }
        result.append_row(columns, means);
    }
    return result;
}

}  // namespace detail

SpotValues average_nearest(const core::CsrView& pixel_values,
                           const Eigen::Ref<const core::MatrixD>& pixels,
                           const Eigen::Ref<const core::MatrixD>& spots, std::int64_t k,
                           double radius) {
    core::check(pixel_values.rows == pixels.rows(), "a position for every pixel");
    const detail::PixelsInReach reach = detail::pixels_in_reach(pixels, spots, k, radius);
    return {detail::average(core::select_rows(pixel_values, reach.used), reach), reach.counts};
}

}  // namespace smeta::align
