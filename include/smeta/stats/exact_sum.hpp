#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "smeta/comm/comm.hpp"

namespace smeta::stats {

/// Sum of doubles without rounding until it is read: the result is the correctly rounded exact sum,
/// whatever the order of the additions, threads and ranks. A fixed-point number over the whole
/// exponent range in 32-bit digits kept in 64-bit words (the small superaccumulator of R. M. Neal,
/// "Fast exact summation using small and large superaccumulators", 2015). About ten times the cost
/// of a plain addition. Throws NumericError for a value that is not finite.
class ExactSum {
  public:
    void add(double value);
    void add(std::span<const double> values) {
        for (const double value : values) add(value);
    }
    void add(const ExactSum& other);
    /// The exact sum rounded once to the nearest double (ties to even); infinite when it exceeds
    /// the range.
    double value() const;
    /// Adds the accumulators of all ranks; every rank holds the same sum after. Collective.
    void allreduce(const comm::Comm& comm);

  private:
    // Bit 0 of digit 0 is 2^-1074; 2098 bits of values and room for 2^30 sums above.
    static constexpr int kDigits = 67;
    void propagate();

    std::array<std::int64_t, kDigits> digits_{};
    std::int64_t pending_ = 0;  ///< additions since the digits were last reduced to 32 bits
};

/// Exact sum of the values of all ranks, rounded once. Collective.
double exact_sum(const comm::Comm& comm, std::span<const double> mine);

}  // namespace smeta::stats
