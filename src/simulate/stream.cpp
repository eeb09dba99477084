#include "stream.hpp"

#include <cmath>
#include <numbers>

namespace smeta::simulate {

Stream::Stream(std::uint64_t seed, StreamUse use, std::string_view owner, std::uint64_t row)
    : philox_(seed, core::DrawPurpose::Simulate, static_cast<std::uint64_t>(use),
              {core::sample_key(owner), row}) {}

std::uint64_t Stream::next() {
    if (used_ == words_.size()) {
        words_ = philox_.words(block_++);
        used_ = 0;
    }
    return words_[used_++];
}

double Stream::uniform() {
    return (static_cast<double>(next() >> 11U) + 0.5) * 0x1.0p-53;
}

double Stream::normal() {
    if (has_spare_) {
        has_spare_ = false;
        return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
}

std::uint64_t Stream::below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64U);
}

double Stream::gamma(double shape, double scale) {
    if (shape < 1) return gamma(shape + 1, scale) * std::pow(uniform(), 1 / shape);
    const double d = shape - 1.0 / 3.0;
    const double c = 1.0 / std::sqrt(9.0 * d);
    while (true) {
        const double x = normal();
        const double root = 1 + c * x;
        if (root <= 0) continue;
        const double v = root * root * root;
        if (std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v * scale;
    }
}

std::int64_t Stream::poisson(double mean) {
    if (mean <= 0) return 0;
    if (mean < 12) {
        double term = std::exp(-mean);
        double left = uniform() - term;
        std::int64_t k = 0;
        // Beyond 100 the remaining probability is below the resolution of a double.
        while (left > 0 && k < 100) {
            term *= mean / static_cast<double>(++k);
            left -= term;
        }
        return k;
    }
    const double log_mean = std::log(mean);
    const double b = 0.931 + 2.53 * std::sqrt(mean);
    const double a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    const double accept = 0.9277 - 3.6224 / (b - 2);
    while (true) {
        const double u = uniform() - 0.5;
        const double v = uniform();
        const double us = 0.5 - std::abs(u);
        const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= accept) return static_cast<std::int64_t>(k);
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (std::log(v * inverse_alpha / (a / (us * us) + b)) <=
            k * log_mean - mean - std::lgamma(k + 1))
            return static_cast<std::int64_t>(k);
    }
}

std::int64_t Stream::negative_binomial(double mean, double dispersion) {
    if (mean <= 0) return 0;
    if (mean > 30) return poisson(gamma(dispersion, mean / dispersion));
    const double success = mean / (mean + dispersion);
    double term = std::exp(-dispersion * std::log1p(mean / dispersion));
    double left = uniform() - term;
    std::int64_t k = 0;
    while (left > 0 && k < 10000) {
        const auto count = static_cast<double>(k);
        term *= success * (count + dispersion) / (count + 1);
        left -= term;
        ++k;
    }
    return k;
}

}  // namespace smeta::simulate
