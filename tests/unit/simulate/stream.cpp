#include "stream.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace {

using smeta::simulate::Stream;
using smeta::simulate::StreamUse;

struct Moments {
    double mean = 0;
    double variance = 0;
    double zeros = 0;
};

template <class Draw>
Moments moments(Draw draw) {
    constexpr int kDraws = 200000;
    Stream stream(7, StreamUse::Counts, "moments");
    double sum = 0, squares = 0, zeros = 0;
    for (int i = 0; i < kDraws; ++i) {
        const auto value = static_cast<double>(draw(stream));
        sum += value;
        squares += value * value;
        zeros += value == 0 ? 1 : 0;
    }
    const double mean = sum / kDraws;
    return {mean, squares / kDraws - mean * mean, zeros / kDraws};
}

TEST(Stream, SameKeysSameDrawsAndOtherKeysOthers) {
    Stream a(1, StreamUse::Counts, "S1", 5), b(1, StreamUse::Counts, "S1", 5);
    Stream row(1, StreamUse::Counts, "S1", 6), use(1, StreamUse::Spectra, "S1", 5);
    Stream owner(1, StreamUse::Counts, "S2", 5), seed(2, StreamUse::Counts, "S1", 5);
    const double first = a.uniform();
    EXPECT_EQ(first, b.uniform());
    for (Stream* other : {&row, &use, &owner, &seed}) EXPECT_NE(first, other->uniform());
}

// Tolerances are five standard errors of 200,000 draws.
TEST(Stream, PoissonHasItsMeanVarianceAndZeros) {
    for (const double mean : {0.05, 1.0, 11.9, 12.1, 400.0}) {
        const auto m = moments([mean](Stream& s) { return s.poisson(mean); });
        EXPECT_NEAR(m.mean, mean, 5 * std::sqrt(mean / 200000)) << mean;
        EXPECT_NEAR(m.variance / mean, 1, 5 * std::sqrt((2 + 1 / mean) / 200000)) << mean;
        EXPECT_NEAR(m.zeros, std::exp(-mean), 5 * std::sqrt(std::exp(-mean) / 200000) + 1e-9);
    }
}

TEST(Stream, GammaHasItsMeanAndVariance) {
    for (const double shape : {0.3, 1.0, 8.0}) {
        const auto m = moments([shape](Stream& s) { return s.gamma(shape, 2.0); });
        EXPECT_NEAR(m.mean, 2 * shape, 5 * std::sqrt(4 * shape / 200000)) << shape;
        EXPECT_NEAR(m.variance / (4 * shape), 1, 5 * std::sqrt((2 + 6 / shape) / 200000)) << shape;
    }
}

TEST(Stream, NegativeBinomialHasItsMeanVarianceAndZerosOnBothPaths) {
    for (const double mean : {0.2, 5.0, 29.0, 31.0}) {
        const double r = 3;
        const auto m = moments([mean](Stream& s) { return s.negative_binomial(mean, 3.0); });
        const double variance = mean + mean * mean / r;
        EXPECT_NEAR(m.mean, mean, 5 * std::sqrt(variance / 200000)) << mean;
        EXPECT_NEAR(m.variance / variance, 1, 5 * std::sqrt((2 + 6 / r + 1 / mean) / 200000))
            << mean;
        const double zero = std::pow(r / (r + mean), r);
        EXPECT_NEAR(m.zeros, zero, 5 * std::sqrt(zero / 200000)) << mean;
    }
}

}  // namespace
