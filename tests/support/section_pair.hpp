#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::test {

/// Which section of a pair lacks a side.
enum class MissingSide { None, St, Sm };

/// Points of one section and non-negative values of its features.
struct SimulatedSection {
    core::MatrixD points;
    core::CountsCsr values;
    double pitch = 0;
};

/// A pair of adjacent sections with a known answer. The tissue: an outline of random harmonics
/// (some mirror-symmetric up to a random disturbance, some discs), up to three holes, four smooth
/// patterns that both modalities express through random mixtures of their own, two patterns of each
/// modality alone, noise of counting (ST) and log-normal noise (SM). ST lies on a hexagonal array,
/// SM on a square grid of 0.3 to 3 times its pitch in a frame turned by any angle, mirrored in half
/// of the pairs, scaled by 0.5 to 2 with up to 1.25 between the axes, and smoothly distorted: the
/// largest displacement is up to 10 % of the tissue's length (square root of its area). In a third
/// of the pairs 20 % of the points of one section, on one side, are missing. Everything is a pure
/// function of the seed.
struct SimulatedPair {
    SimulatedSection st;
    SimulatedSection sm;
    core::MatrixD truth;             ///< of every SM point, in the ST frame
    std::array<double, 4> linear{};  ///< ST = linear SM + ..., without the distortion
    double length = 0;               ///< square root of the tissue's area, ST frame
    double coarser_pitch = 0;        ///< of the two, ST frame
    double distortion = 0;           ///< largest displacement over length
    double anisotropy = 1;
    MissingSide missing = MissingSide::None;
    /// By the generator's own rule: turned or mirrored the tissue's outline overlaps itself (IoU
    /// above 0.95) and its patterns correlate with themselves above 0.9.
    bool symmetric = false;
    std::vector<std::uint8_t> shared;  ///< of every SM point: 1 where ST has tissue too
};

SimulatedPair simulate_pair(std::uint64_t seed);

}  // namespace smeta::test
