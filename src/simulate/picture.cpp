#include "picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "smeta/core/hash.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::simulate {

namespace {

using Colour = std::array<double, 3>;
constexpr Colour kGlass{241, 240, 243};
constexpr Colour kEosin{231, 170, 199};
constexpr Colour kHaematoxylin{138, 104, 170};
constexpr Colour kNucleus{82, 58, 120};

Colour mix(const Colour& a, const Colour& b, double share) {
    Colour result;
    for (int c = 0; c < 3; ++c) result[c] = a[c] + share * (b[c] - a[c]);
    return result;
}

/// Cheap hash of a pixel to [0, 1): the grain of the picture.
double grain(std::uint64_t key, std::int64_t x, std::int64_t y) {
    std::uint64_t h = key ^ (static_cast<std::uint64_t>(x) * 0x9E3779B97F4A7C15ULL) ^
                      (static_cast<std::uint64_t>(y) * 0xC2B2AE3D27D4EB4FULL);
    h = (h ^ (h >> 29U)) * 0xBF58476D1CE4E5B9ULL;
    h = (h ^ (h >> 32U)) * 0x94D049BB133111EBULL;
    return static_cast<double>((h ^ (h >> 29U)) >> 11U) * 0x1.0p-53;
}

/// Colour and tissue of the coarse grid that the picture is interpolated from: the fields are
/// smooth.
struct Cell {
    Colour colour{};
    double nuclei = 0;  ///< how many pixels are nuclei, 0 on glass
};

std::vector<Cell> coarse_cells(const Anatomy& anatomy, std::int64_t rows, std::int64_t cols,
                               double step) {
    std::vector<Cell> cells(static_cast<std::size_t>(rows * cols));
#pragma omp parallel for schedule(dynamic, 4) num_threads(core::threads())
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < cols; ++c) {
            const Point p{static_cast<double>(c) * step, static_cast<double>(r) * step};
            auto& cell = cells[static_cast<std::size_t>(r * cols + c)];
            cell.colour = kGlass;
            if (!anatomy.in_tissue(p, Section::Transcriptome)) continue;
            const auto shares = anatomy.domain_shares(p, Section::Transcriptome);
            double tint = 0;
            for (std::size_t d = 0; d < shares.size(); ++d)
                tint +=
                    shares[d] * (static_cast<double>(d) + 0.5) / static_cast<double>(shares.size());
            cell.colour = mix(kEosin, kHaematoxylin, 0.85 * tint);
            cell.nuclei = 0.04 + 0.16 * tint;
        }
    return cells;
}

}  // namespace

io::Image draw_tissue(const Anatomy& anatomy, std::uint64_t seed, std::string_view sample,
                      std::int64_t pixels) {
    const double microns =
        std::max(anatomy.width(), anatomy.height()) / static_cast<double>(pixels);
    io::Image image;
    image.width = std::llround(anatomy.width() / microns);
    image.height = std::llround(anatomy.height() / microns);
    image.channels = 3;
    image.values.resize(static_cast<std::size_t>(image.width * image.height * 3));
    constexpr std::int64_t kCell = 8;
    const std::int64_t cols = image.width / kCell + 2;
    const std::int64_t rows = image.height / kCell + 2;
    const auto cells = coarse_cells(anatomy, rows, cols, microns * kCell);
    const std::uint64_t key = core::hash64(sample) ^ (seed * 0x9E3779B97F4A7C15ULL);
#pragma omp parallel for num_threads(core::threads())
    for (std::int64_t y = 0; y < image.height; ++y)
        for (std::int64_t x = 0; x < image.width; ++x) {
            const double fy = static_cast<double>(y % kCell) / kCell;
            const double fx = static_cast<double>(x % kCell) / kCell;
            const Cell* corner = &cells[static_cast<std::size_t>(y / kCell * cols + x / kCell)];
            Colour colour = mix(mix(corner[0].colour, corner[1].colour, fx),
                                mix(corner[cols].colour, corner[cols + 1].colour, fx), fy);
            // Nuclei are blots of 2 x 2 pixels.
            if (grain(key, x / 2, y / 2) < corner->nuclei) colour = mix(colour, kNucleus, 0.7);
            const double noise = 10 * (grain(key + 1, x, y) - 0.5) * (corner->nuclei > 0 ? 1 : 0.3);
            auto* out = &image.values[static_cast<std::size_t>((y * image.width + x) * 3)];
            for (int c = 0; c < 3; ++c)
                out[c] = static_cast<std::uint8_t>(std::clamp(colour[c] + noise, 0.0, 255.0));
        }
    return image;
}

}  // namespace smeta::simulate
