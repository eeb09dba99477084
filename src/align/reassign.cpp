#include "smeta/align/reassign.hpp"

#include <algorithm>

#include "smeta/core/error.hpp"
#include "smeta/spatial/knn.hpp"

namespace smeta::align {

SpotValues average_nearest(const core::CsrView& pixel_values,
                           const Eigen::Ref<const core::MatrixD>& pixels,
                           const Eigen::Ref<const core::MatrixD>& spots, std::int64_t k,
                           double radius) {
    core::check(pixel_values.rows == pixels.rows(), "a position for every pixel");
    const spatial::PointIndex index(pixels);
    const spatial::KnnGraph nearest = spatial::nearest_points(index, spots, k);
    SpotValues result;
    result.values.cols = pixel_values.cols;
    std::vector<double> sums(pixel_values.cols, 0.0);
    std::vector<std::uint8_t> touched(pixel_values.cols, 0);
    std::vector<std::int32_t> columns;
    std::vector<float> means;
    for (std::int64_t spot = 0; spot < nearest.rows; ++spot) {
        const auto distances = nearest.row_distances(spot);
        const auto count =
            std::upper_bound(distances.begin(), distances.end(), radius) - distances.begin();
        columns.clear();
        for (std::ptrdiff_t i = 0; i < count; ++i) {
            const std::int64_t pixel = nearest.row_neighbours(spot)[i];
            const auto features = pixel_values.row_indices(pixel);
            const auto values = pixel_values.row_values(pixel);
            for (std::size_t e = 0; e < features.size(); ++e) {
                if (touched[features[e]] == 0) columns.push_back(features[e]);
                touched[features[e]] = 1;
                sums[features[e]] += values[e];
            }
        }
        std::sort(columns.begin(), columns.end());
        means.clear();
        for (const std::int32_t column : columns) {
            means.push_back(static_cast<float>(sums[column] / static_cast<double>(count)));
            sums[column] = 0.0;
            touched[column] = 0;
        }
        result.values.append_row(columns, means);
        result.pixels.push_back(count);
    }
    return result;
}

}  // namespace smeta::align
