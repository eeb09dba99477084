#include "smeta/core/random.hpp"

#include <cmath>
#include <numbers>

#include <Random123/philox.h>

#include "smeta/core/hash.hpp"

namespace smeta::core {

namespace {

// (word + 0.5) / 2^53 of the upper 53 bits lies strictly inside (0, 1): safe for log().
double open_uniform(std::uint64_t word) {
    return (static_cast<double>(word >> 11U) + 0.5) * 0x1.0p-53;
}

}  // namespace

std::uint64_t sample_key(std::string_view sample_name) {
    return hash64(sample_name);
}

std::array<std::uint64_t, 4> Philox::words(std::uint64_t block) const {
    const r123::Philox4x64::ctr_type counter = {{block, row_.row, row_.sample, epoch_}};
    const r123::Philox4x64::key_type key = {{seed_, purpose_}};
    const r123::Philox4x64::ctr_type result = r123::Philox4x64()(counter, key);
    return {result[0], result[1], result[2], result[3]};
}

double Philox::uniform(std::uint64_t draw) const {
    return static_cast<double>(words(draw / 4)[draw % 4] >> 11U) * 0x1.0p-53;
}

std::uint64_t Philox::below(std::uint64_t draw, std::uint64_t bound) const {
    __extension__ using Wide = unsigned __int128;
    const auto product = static_cast<Wide>(words(draw / 4)[draw % 4]) * bound;
    return static_cast<std::uint64_t>(product >> 64U);
}

double Philox::normal(std::uint64_t draw) const {
    const auto block = words(draw / 4);
    const std::uint64_t pair = (draw % 4) / 2 * 2;
    const double radius = std::sqrt(-2.0 * std::log(open_uniform(block[pair])));
    const double angle = 2.0 * std::numbers::pi * open_uniform(block[pair + 1]);
    return draw % 2 == 0 ? radius * std::cos(angle) : radius * std::sin(angle);
}

}  // namespace smeta::core
