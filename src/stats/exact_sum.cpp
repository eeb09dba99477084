#include "smeta/stats/exact_sum.hpp"

#include <bit>
#include <cmath>

#include "smeta/core/error.hpp"

namespace smeta::stats {

namespace {

__extension__ typedef unsigned __int128 Wide;  // NOLINT: only this form silences -Wpedantic
constexpr std::uint64_t kMask = 0xFFFFFFFFU;
// Each addition changes a digit by less than 2^32, so this many cannot overflow 63 bits.
constexpr std::int64_t kMaxPending = std::int64_t{1} << 29U;
constexpr int kLowestExponent = -1074;

}  // namespace

void ExactSum::add(double value) {
    if (!std::isfinite(value)) throw core::NumericError("a value to be summed is not finite");
    if (value == 0.0) return;
    if (pending_ >= kMaxPending) propagate();
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const auto biased = static_cast<unsigned>((bits >> 52U) & 0x7FFU);
    std::uint64_t mantissa = bits & ((std::uint64_t{1} << 52U) - 1);
    if (biased != 0) mantissa |= std::uint64_t{1} << 52U;
    // A subnormal has the exponent of the smallest normal number.
    const unsigned position = biased == 0 ? 0 : biased - 1;
    const unsigned digit = position / 32;
    const unsigned shift = position % 32;
    const auto wide = static_cast<Wide>(mantissa) << shift;
    const std::int64_t sign = value < 0.0 ? -1 : 1;
    digits_[digit] += sign * static_cast<std::int64_t>(static_cast<std::uint64_t>(wide) & kMask);
    digits_[digit + 1] +=
        sign * static_cast<std::int64_t>(static_cast<std::uint64_t>(wide >> 32U) & kMask);
    digits_[digit + 2] += sign * static_cast<std::int64_t>(static_cast<std::uint64_t>(wide >> 64U));
    ++pending_;
}

// Afterwards every digit but the last lies in [0, 2^32); the last one carries the sign.
void ExactSum::propagate() {
    for (int i = 0; i + 1 < kDigits; ++i) {
        const std::int64_t carry = digits_[i] >> 32;
        digits_[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(digits_[i]) & kMask);
        digits_[i + 1] += carry;
    }
    pending_ = 1;
}

void ExactSum::add(const ExactSum& other) {
    ExactSum reduced = other;
    reduced.propagate();
    propagate();
    for (int i = 0; i < kDigits; ++i) digits_[i] += reduced.digits_[i];
    pending_ = 2;
}

double ExactSum::value() const {
    ExactSum magnitude = *this;
    magnitude.propagate();
    const bool negative = magnitude.digits_[kDigits - 1] < 0;
    if (negative) {
        for (std::int64_t& digit : magnitude.digits_) digit = -digit;
        magnitude.propagate();
    }
    const auto& digits = magnitude.digits_;
    int top = kDigits - 1;
    while (top >= 0 && digits[top] == 0) --top;
    if (top < 0) return 0.0;
    // The leading 64 or more bits of the number, and whether anything non-zero lies below them.
    Wide leading = 0;
    int lowest = top;
    for (int i = top; i >= 0 && i > top - 3; --i) {
        leading = (leading << 32U) | static_cast<std::uint64_t>(digits[i]);
        lowest = i;
    }
    bool rest = false;
    for (int i = 0; i < lowest; ++i) rest = rest || digits[i] != 0;
    // Keep 62 bits and fold everything below into the last one ("sticky"): rounding to 53 bits is
    // then exact.
    int exponent = kLowestExponent + 32 * lowest;
    while ((leading >> 62U) != 0) {
        rest = rest || (leading & 1U) != 0;
        leading >>= 1U;
        ++exponent;
    }
    const auto kept = static_cast<std::uint64_t>(leading) | (rest ? 1U : 0U);
    const double rounded = std::ldexp(static_cast<double>(kept), exponent);
    return negative ? -rounded : rounded;
}

void ExactSum::allreduce(const comm::Comm& comm) {
    propagate();
    comm.allreduce(std::span<std::int64_t>(digits_));
    pending_ = comm.size();
}

double exact_sum(const comm::Comm& comm, std::span<const double> mine) {
    ExactSum sum;
    comm.all_or_throw([&] { sum.add(mine); });
    sum.allreduce(comm);
    return sum.value();
}

}  // namespace smeta::stats
