#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "smeta/core/random.hpp"

namespace smeta::simulate {

/// What a stream of draws is for: streams never share numbers.
enum class StreamUse : std::uint64_t {
    Genes,
    Metabolites,
    Anatomy,
    Batch,
    Counts,
    Spectra,
    Picture,
};

/// Draws taken one after another from one row of the counter-based generator: what a row draws
/// depends on nothing but (seed, use, owner, row). Local, not shared by threads.
class Stream {
  public:
    Stream(std::uint64_t seed, StreamUse use, std::string_view owner, std::uint64_t row = 0);

    double uniform();  ///< in (0, 1)
    double normal();
    std::uint64_t below(std::uint64_t bound);
    /// Gamma with mean shape * scale, shape > 0 (Marsaglia and Tsang 2000).
    double gamma(double shape, double scale);
    /// Poisson by inversion below 12, by transformed rejection above (Hormann 1993, PTRS).
    std::int64_t poisson(double mean);
    /// Negative binomial with mean `mean` and variance mean + mean^2 / dispersion: by inversion up
    /// to a mean of 30, above as a Poisson draw with a gamma mean.
    std::int64_t negative_binomial(double mean, double dispersion);

  private:
    std::uint64_t next();
    core::Philox philox_;
    std::uint64_t block_ = 0;
    std::size_t used_ = 4;
    std::array<std::uint64_t, 4> words_{};
    bool has_spare_ = false;
    double spare_ = 0;
};

}  // namespace smeta::simulate
