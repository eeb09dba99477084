#include "smeta/core/random.hpp"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "smeta/core/hash.hpp"

namespace smeta::core {
namespace {

TEST(PhiloxTest, draws_differ_by_every_part_of_the_key) {
    std::set<std::uint64_t> words;
    const auto add = [&words](const Philox& philox, std::uint64_t draw) {
        words.insert(philox.words(draw)[0]);
    };
    add(Philox(1, DrawPurpose::Test), 0);
    add(Philox(1, DrawPurpose::Test), 1);
    add(Philox(2, DrawPurpose::Test), 0);
    add(Philox(1, DrawPurpose::Dropout), 0);
    add(Philox(1, DrawPurpose::Test, 1), 0);
    add(Philox(1, DrawPurpose::Test, 0, {1, 0}), 0);
    add(Philox(1, DrawPurpose::Test, 0, {0, 1}), 0);
    EXPECT_EQ(words.size(), 7U);
}

TEST(PhiloxTest, below_covers_its_range_evenly) {
    const Philox philox(5, DrawPurpose::Test);
    std::array<int, 7> seen{};
    for (std::uint64_t d = 0; d < 70000; ++d) ++seen.at(philox.below(d, 7));
    for (const int count : seen) EXPECT_NEAR(count, 10000, 400);  // 4 standard deviations
}

TEST(PhiloxTest, uniform_and_normal_have_their_moments) {
    const Philox philox(7, DrawPurpose::Test);
    constexpr int kDraws = 100000;
    double uniform = 0;
    double mean = 0;
    double square = 0;
    double fourth = 0;
    for (int d = 0; d < kDraws; ++d) {
        uniform += philox.uniform(d);
        const double z = philox.normal(d);
        mean += z;
        square += z * z;
        fourth += z * z * z * z;
    }
    EXPECT_NEAR(uniform / kDraws, 0.5, 0.004);
    EXPECT_NEAR(mean / kDraws, 0.0, 0.013);
    EXPECT_NEAR(square / kDraws, 1.0, 0.02);
    EXPECT_NEAR(fourth / kDraws, 3.0, 0.13);
}

TEST(HashTest, hex_round_trip_and_known_value) {
    // XXH3-64 of the empty string with seed 0, from the xxHash specification.
    EXPECT_EQ(hash64(std::string_view("")), 0x2d06800538d394c2ULL);
    const Hash128 hash = hash128(std::string_view("smeta"));
    EXPECT_EQ(hash128_from_hex(to_hex(hash)), hash);
    Hasher128 parts;
    const std::string text = "smeta";
    parts.update(std::as_bytes(std::span(text.data(), 2)));
    parts.update(std::as_bytes(std::span(text.data() + 2, 3)));
    EXPECT_EQ(parts.digest(), hash);
}

}  // namespace
}  // namespace smeta::core
