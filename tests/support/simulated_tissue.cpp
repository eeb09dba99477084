#include "support/simulated_tissue.hpp"

#include <numbers>

namespace smeta::test {

namespace {

constexpr double kPi = std::numbers::pi;

Pattern draw_pattern(Draws& draws, double mirrored, double radial) {
    Pattern pattern;
    pattern.mirrored = mirrored;
    pattern.radial = radial;
    pattern.phase = draws.uniform(0, 2 * kPi);
    for (int b = 0; b < 14; ++b)
        pattern.bumps.push_back({{draws.uniform(-0.8, 0.8), draws.uniform(-0.8, 0.8)},
                                 draws.uniform(0.08, 0.3),
                                 draws.normal()});
    return pattern;
}

}  // namespace

Tissue draw_tissue(std::uint64_t seed) {
    Draws draws(seed, 1);
    Tissue tissue;
    const double kind = draws.uniform(0, 1);
    // Of mirror-symmetric and round tissues half are so exactly, the others up to a disturbance.
    const double symmetry = draws.uniform(0, 1) < 0.5 ? 1.0 : draws.uniform(0.2, 1.0);
    const double mirrored = kind < 0.2 ? symmetry : 0.0;
    const double radial = kind > 0.95 ? symmetry : 0.0;
    tissue.elongation = std::sqrt(radial > 0 ? 1.0 : draws.uniform(1.0, 1.7));
    for (int k = 1; k <= 7; ++k) {
        double amplitude = 0.22 * draws.normal() / std::sqrt(static_cast<double>(k) + 1);
        double phase = draws.uniform(0, 2 * kPi);
        // About the y axis, waves of odd number as a sine, of even number as a cosine.
        if (mirrored > 0) phase = (k % 2 == 1 ? kPi / 2 : 0) + (1 - mirrored) * (phase - kPi);
        if (radial > 0) amplitude *= 1 - radial;
        tissue.harmonics.push_back({std::clamp(amplitude, -0.3, 0.3), phase});
    }
    const auto holes = static_cast<int>(draws.uniform(0, 4));
    for (int h = 0; h < holes; ++h) {
        Tissue::Hole hole{{draws.uniform(-0.4, 0.4), draws.uniform(-0.4, 0.4)},
                          draws.uniform(0.03, 0.1),
                          draws.uniform(0.03, 0.1)};
        if (radial > 0.5) hole.at = {0, 0};
        if (radial > 0.5) hole.height = hole.width;
        if (mirrored > 0.5)
            tissue.holes.push_back({{-hole.at[0], hole.at[1]}, hole.width, hole.height});
        tissue.holes.push_back(hole);
    }
    for (int p = 0; p < kShared + 2 * kPrivate; ++p)
        tissue.patterns.push_back(draw_pattern(draws, mirrored, radial));
    return tissue;
}

}  // namespace smeta::test
