#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "smeta/core/random.hpp"

namespace smeta::test {

inline constexpr int kShared = 4;   ///< patterns that both modalities express
inline constexpr int kPrivate = 2;  ///< of each modality alone

class Draws {
  public:
    Draws(std::uint64_t seed, std::uint64_t use) : philox_(seed, core::DrawPurpose::Test, use) {}
    double uniform(double low, double high) { return low + (high - low) * philox_.uniform(at_++); }
    double normal() { return philox_.normal(at_++); }
    std::int64_t poisson(double mean) {
        if (mean > 40)
            return std::max<std::int64_t>(0, std::llround(mean + std::sqrt(mean) * normal()));
        const double limit = std::exp(-mean);
        std::int64_t k = 0;
        for (double p = uniform(0, 1); p > limit; p *= uniform(0, 1)) ++k;
        return k;
    }

  private:
    core::Philox philox_;
    std::uint64_t at_ = 0;
};

using Place = std::array<double, 2>;

/// A sum of Gaussian bumps, or its mirror image's mean with itself.
struct Pattern {
    struct Bump {
        Place at;
        double width;
        double height;
    };
    std::vector<Bump> bumps;
    double mirrored = 0;  ///< share of mirror symmetry
    double radial = 0;    ///< share of symmetry under every rotation
    double phase = 0;

    double raw(Place p) const {
        double sum = 0;
        for (const Bump& b : bumps)
            sum += b.height *
                   std::exp(-0.5 * (std::pow(p[0] - b.at[0], 2) + std::pow(p[1] - b.at[1], 2)) /
                            (b.width * b.width));
        return sum;
    }
    double operator()(Place p) const {
        double value = raw(p);
        if (mirrored > 0) value += mirrored * (0.5 * (raw(p) + raw({-p[0], p[1]})) - value);
        if (radial > 0) value += radial * (std::cos(7 * std::hypot(p[0], p[1]) + phase) - value);
        return value;
    }
};

/// The anatomy in a frame of its own: length 1 (square root of the area, about).
struct Tissue {
    std::vector<std::array<double, 2>> harmonics;  ///< amplitude and phase of wave k + 2
    double elongation = 1;
    struct Hole {
        Place at;
        double width;
        double height;
    };
    std::vector<Hole> holes;
    std::vector<Pattern> patterns;  ///< shared, then ST's, then SM's

    bool inside(Place p) const {
        const Place q{p[0] * elongation, p[1] / elongation};
        const double angle = std::atan2(q[1], q[0]);
        double radius = 0.56;
        for (std::size_t k = 0; k < harmonics.size(); ++k)
            radius += 0.56 * harmonics[k][0] *
                      std::cos(static_cast<double>(k + 1) * angle + harmonics[k][1]);
        if (std::hypot(q[0], q[1]) > radius) return false;
        return std::none_of(holes.begin(), holes.end(), [&](const Hole& hole) {
            return std::hypot((p[0] - hole.at[0]) / hole.width, (p[1] - hole.at[1]) / hole.height) <
                   1;
        });
    }
};

/// The tissue of the pair of that seed.
Tissue draw_tissue(std::uint64_t seed);

}  // namespace smeta::test
