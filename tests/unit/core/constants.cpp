// The compiler's constants: GCC 12 with AVX-512 gave 1 1 1 1 for the first of these
// (scripts/cmake/SmetaTargets.cmake).
#include <array>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace {

// Not inlined: the values would be compared at compile time.
[[gnu::noinline]] std::vector<double> three_and_zero() {
    return {1, 1, 1, 0};
}
[[gnu::noinline]] std::vector<double> four_and_zeros() {
    return {2, 2, 2, 2, 0, 0, 0, 0};
}
[[gnu::noinline]] std::vector<std::int64_t> seven_and_zero() {
    return {3, 3, 3, 3, 3, 3, 3, 0};
}
[[gnu::noinline]] std::array<std::int64_t, 4> two_and_zeros() {
    return {4, 4, 0, 0};
}

template <class Numbers>
std::vector<double> one_by_one(const Numbers& numbers) {
    std::vector<double> out;
    for (const auto number : numbers) out.push_back(static_cast<double>(number));
    return out;
}

// The expected sequences are computed, not listed: a list would be compiled like the ones under
// test.
std::vector<double> expected(double value, std::size_t ones, std::size_t size) {
    std::vector<double> out(size);
    for (std::size_t i = 0; i < ones; ++i) out[i] = value;
    return out;
}

TEST(Constants, EndingWithZerosKeepThem) {
    EXPECT_EQ(one_by_one(three_and_zero()), expected(1, 3, 4));
    EXPECT_EQ(one_by_one(four_and_zeros()), expected(2, 4, 8));
    EXPECT_EQ(one_by_one(seven_and_zero()), expected(3, 7, 8));
    EXPECT_EQ(one_by_one(two_and_zeros()), expected(4, 2, 4));
}

}  // namespace
