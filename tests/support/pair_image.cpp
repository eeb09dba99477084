#include "support/pair_image.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "support/simulated_tissue.hpp"

namespace smeta::test {

io::SectionImage simulate_image(std::uint64_t seed, PairImage kind) {
    constexpr std::int64_t kSide = 600;
    constexpr std::uint64_t kOther = 1'000'000;  // seeds of patterns that the pair has not
    constexpr std::array<std::array<double, 2>, 3> kColours{
        {{0.65, 0.07}, {0.70, 0.99}, {0.29, 0.11}}};  // red, green, blue of both stains
    constexpr double kUnit = 4000;                    // of the tissue's length, ST frame
    const Tissue tissue = draw_tissue(seed);
    const Tissue stained = kind == PairImage::Related ? tissue : draw_tissue(seed + kOther);
    const core::Philox draws(seed, core::DrawPurpose::Test, 20);
    io::SectionImage image{{kSide, kSide, 3, {}}, kSide / (2 * kImageShift), "simulated"};
    for (std::int64_t p = 0; p < kSide * kSide; ++p) {
        const auto at = [&](std::int64_t pixel) {
            return ((static_cast<double>(pixel) + 0.5) / image.scale - kImageShift) / kUnit;
        };
        const Place place{at(p % kSide), at(p / kSide)};
        const auto draw = static_cast<std::uint64_t>(4 * p);
        double haematoxylin = 0;
        double eosin = 0;
        if (tissue.inside(place)) {
            const double first = stained.patterns[0](place);
            haematoxylin = 0.02 * std::exp(0.3 * first + 0.2 * stained.patterns[1](place));
            if (draws.uniform(draw) < 0.1) haematoxylin += 0.06;  // a nucleus
            eosin = 0.03 * std::exp(0.3 * stained.patterns[2](place) - 0.2 * first);
        }
        for (std::uint64_t c = 0; c < 3; ++c)
            image.image.values.push_back(static_cast<std::uint8_t>(std::clamp(
                240 * std::pow(1e-6, kColours[c][0] * haematoxylin + kColours[c][1] * eosin) +
                    4 * draws.normal(draw + 1 + c),
                0.0, 255.0)));
    }
    return image;
}

}  // namespace smeta::test
