#include "blur.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace smeta::align::detail {

namespace {

constexpr double kBlur = 0.7;  // of the pitch

std::vector<float> gaussian(double sigma) {
    const auto reach = static_cast<std::int64_t>(std::ceil(3 * sigma));
    std::vector<float> kernel(2 * reach + 1);
    for (std::int64_t k = -reach; k <= reach; ++k)
        kernel[k + reach] =
            static_cast<float>(std::exp(-0.5 * static_cast<double>(k * k) / (sigma * sigma)));
    const float sum = std::accumulate(kernel.begin(), kernel.end(), 0.0F);
    for (float& k : kernel) k /= sum;
    return kernel;
}

}  // namespace

core::MatrixF blur(const core::MatrixF& values, const RasterGrid& grid, double sigma) {
    const std::vector<float> kernel = gaussian(sigma);
    const auto reach = static_cast<std::int64_t>(kernel.size() / 2);
    const auto pass = [&](const core::MatrixF& from, std::int64_t along, std::int64_t stride) {
        core::MatrixF to = core::MatrixF::Zero(from.rows(), from.cols());
        for (std::int64_t c = 0; c < grid.size(); ++c) {
            const std::int64_t place = (c / stride) % along;
            for (std::int64_t k = std::max(-reach, -place); k <= std::min(reach, along - 1 - place);
                 ++k)
                to.row(c) += kernel[k + reach] * from.row(c + k * stride);
        }
        return to;
    };
    return pass(pass(values, grid.nx, 1), grid.ny, grid.nx);
}

double content_blur(const SectionRaster& raster) {
    return std::max(1.0, kBlur * raster.pitch / raster.grid.cell);
}

}  // namespace smeta::align::detail
