#include "field.hpp"

#include <cmath>
#include <numbers>

namespace smeta::simulate {

SmoothField::SmoothField(Stream& stream, double wavelength) {
    constexpr int kWaves = 12;
    constexpr double kTurn = 2 * std::numbers::pi;
    for (int i = 0; i < kWaves; ++i) {
        const double direction = kTurn * stream.uniform();
        const double frequency = kTurn / wavelength * (0.5 + stream.uniform());
        waves_.push_back({frequency * std::cos(direction), frequency * std::sin(direction),
                          kTurn * stream.uniform()});
    }
}

double SmoothField::operator()(Point p) const {
    double sum = 0;
    for (const auto& wave : waves_) sum += std::cos(wave.kx * p.x + wave.ky * p.y + wave.phase);
    return sum * std::sqrt(2.0 / static_cast<double>(waves_.size()));
}

}  // namespace smeta::simulate
