#include <algorithm>
#include <cmath>

#include <Eigen/LU>

#include "smeta/align/histology.hpp"

namespace smeta::align {

namespace {

constexpr std::size_t kBins = 256;
constexpr double kDarkest = 2.5;        // optical density (natural logarithm) that bins reach to
constexpr double kLeastContrast = 0.1;  // between the means of glass and tissue, likewise
constexpr double kDarkestGlass = 100;   // of 255
constexpr std::uint8_t kPadding = 8;    // scanners pad with black

double optical_density(double value) {
    return -std::log((value + 1) / 256);
}

/// Otsu's split of a histogram: the first bin of the upper part, and the means of both, in bins.
struct Split {
    std::size_t bin = 0;
    double low = 0;
    double high = 0;
};

Split otsu(const std::array<std::int64_t, kBins>& histogram) {
    double all = 0;
    double sum = 0;
    for (std::size_t b = 0; b < kBins; ++b) {
        all += static_cast<double>(histogram[b]);
        sum += static_cast<double>(b) * static_cast<double>(histogram[b]);
    }
    Split best;
    double most = 0;
    double below = 0;
    double below_sum = 0;
    for (std::size_t b = 0; b + 1 < kBins; ++b) {
        below += static_cast<double>(histogram[b]);
        below_sum += static_cast<double>(b) * static_cast<double>(histogram[b]);
        if (below == 0 || below == all) continue;
        const double low = below_sum / below;
        const double high = (sum - below_sum) / (all - below);
        const double between = below * (all - below) * (high - low) * (high - low);
        if (between > most) {
            most = between;
            best = {b + 1, low, high};
        }
    }
    return best;
}

std::array<std::uint8_t, 3> pixel(const io::Image& image, std::int64_t p) {
    const std::uint8_t* v = image.values.data() + p * image.channels;
    return image.channels == 1 ? std::array<std::uint8_t, 3>{v[0], v[0], v[0]}
                               : std::array<std::uint8_t, 3>{v[0], v[1], v[2]};
}

bool is_padding(const std::array<std::uint8_t, 3>& rgb) {
    return std::max({rgb[0], rgb[1], rgb[2]}) < kPadding;
}

}  // namespace

Stains stains(const std::array<std::uint8_t, 3>& rgb) {
    // Rows: colours that one unit of haematoxylin, eosin, DAB takes away from red, green, blue.
    static const Eigen::Matrix3d inverse = [] {
        Eigen::Matrix3d colours;
        colours << 0.65, 0.70, 0.29, 0.07, 0.99, 0.11, 0.27, 0.57, 0.78;
        return Eigen::Matrix3d(colours.inverse());
    }();
    static const std::array<double, 256> density = [] {
        std::array<double, 256> values{};
        for (int v = 0; v < 256; ++v)
            values[v] = std::log(std::max(v / 255.0, 1e-6)) / std::log(1e-6);
        return values;
    }();
    const Eigen::RowVector3d densities(density[rgb[0]], density[rgb[1]], density[rgb[2]]);
    const Eigen::RowVector3d found = (densities * inverse).cwiseMax(0);
    return {found[0], found[1], found[2]};
}

double grey(const std::array<std::uint8_t, 3>& rgb) {
    return 0.2989 * rgb[0] + 0.5870 * rgb[1] + 0.1140 * rgb[2];
}

TissueMask find_tissue(const io::Image& image) {
    const std::int64_t pixels = image.height * image.width;
    // Bin of every value of the green channel.
    std::array<std::size_t, 256> bin_of{};
    for (std::size_t v = 0; v < 256; ++v)
        bin_of[v] =
            std::min(kBins - 1, static_cast<std::size_t>(optical_density(static_cast<double>(v)) /
                                                         kDarkest * static_cast<double>(kBins)));
    std::array<std::int64_t, kBins> histogram{};
    for (std::int64_t p = 0; p < pixels; ++p)
        if (const auto rgb = pixel(image, p); !is_padding(rgb)) ++histogram[bin_of[rgb[1]]];
    const Split split = otsu(histogram);
    TissueMask mask;
    mask.contrast = (split.high - split.low) * kDarkest / static_cast<double>(kBins);
    if (split.bin == 0) return mask;
    std::vector<std::uint8_t> tissue(pixels, 0);
    double glass = 0;
    double glass_pixels = 0;
    for (std::int64_t p = 0; p < pixels; ++p) {
        const auto rgb = pixel(image, p);
        if (is_padding(rgb)) continue;
        if (bin_of[rgb[1]] >= split.bin) {
            tissue[p] = 1;
        } else {
            glass += grey(rgb);
            ++glass_pixels;
        }
    }
    mask.glass = glass / std::max(1.0, glass_pixels);
    if (mask.contrast >= kLeastContrast && mask.glass >= kDarkestGlass)
        mask.tissue = std::move(tissue);
    return mask;
}

}  // namespace smeta::align
