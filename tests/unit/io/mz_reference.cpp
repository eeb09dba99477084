#include "smeta/io/mz_reference.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

namespace smeta::io {
namespace {

/// get_mz_reference as spec A2 has it: all m/z in memory, sorted, one sweep.
MzBins by_definition(std::vector<double> mz, double ppm) {
    std::sort(mz.begin(), mz.end());
    MzBins bins;
    double lower = 0;
    double upper = 0;
    for (std::size_t i = 0; i <= mz.size(); ++i) {
        const bool more = i < mz.size();
        const double next_lower = more ? mz[i] - mz[i] * ppm / 1e6 : 0;
        const double next_upper = more ? mz[i] + mz[i] * ppm / 1e6 : 0;
        if (more && i > 0 && next_lower <= upper) {
            upper = std::max(upper, next_upper);
            continue;
        }
        if (i > 0) {
            bins.center.push_back((lower + upper) / 2);
            bins.half_width.push_back((upper - lower) / 2);
        }
        lower = next_lower;
        upper = next_upper;
    }
    return bins;
}

TEST(MzReference, HandChecked) {
    MzCollector collector(5, std::nullopt);
    collector.add(std::vector<double>{200.0, 100.0});
    collector.add(std::vector<double>{100.0005, 100.0});
    const MzBins bins = collector.finish();
    ASSERT_EQ(bins.size(), 2);
    EXPECT_DOUBLE_EQ(bins.center[0], (99.9995 + 100.0010000025) / 2);
    EXPECT_DOUBLE_EQ(bins.center[1], 200.0);
    EXPECT_NEAR(bins.half_width[1], 0.001, 1e-12);
    EXPECT_EQ(bins.find(100.0004), 0);
    EXPECT_EQ(bins.find(199.9991, 0), 1);
    EXPECT_EQ(bins.find(150.0, 1), -1);
    EXPECT_EQ(bins.find(300.0), -1);
}

TEST(MzReference, IntervalsThatTouchAreOneBin) {
    const double u = 1000.0;
    const double upper = u + u * 5 / 1e6;
    const double next = upper / (1 - 5e-6);
    const bool touches = next - next * 5 / 1e6 <= upper;
    MzCollector collector(5, std::nullopt);
    collector.add(std::vector<double>{u, next});
    EXPECT_EQ(collector.finish().size(), touches ? 1 : 2);
}

TEST(MzReference, StreamedEqualsTheSweepBitForBit) {
    const core::Philox random(1, core::DrawPurpose::Test);
    std::vector<double> all;
    for (int i = 0; i < 3'000'000; ++i) all.push_back(100 + 900 * random.uniform(2 * i));
    all.resize(20'000);  // sparse enough for several bins ...
    std::vector<double> dense;
    for (int i = 0; i < 1'200'000; ++i)  // ... and more than one block of clusters 0.02 Da apart
        dense.push_back(500 + 0.02 * (i % 997) + 1e-4 * random.uniform(i));
    all.insert(all.end(), dense.begin(), dense.end());
    MzCollector collector(5, std::nullopt);
    for (std::size_t i = 0; i < all.size(); i += 1000)
        collector.add(std::span(all).subspan(i, std::min<std::size_t>(1000, all.size() - i)));
    const MzBins streamed = collector.finish();
    const MzBins reference = by_definition(all, 5);
    EXPECT_GT(streamed.size(), 1000);
    EXPECT_EQ(streamed.center, reference.center);
    EXPECT_EQ(streamed.half_width, reference.half_width);
    std::sort(all.begin(), all.end());
    std::int32_t hint = 0;
    for (const double mz : all) {
        const std::int32_t bin = streamed.find(mz, hint);
        ASSERT_GE(bin, 0) << mz;
        ASSERT_EQ(bin, streamed.find(mz)) << mz;
        hint = bin;
    }
}

TEST(MzReference, CapSplitsAChain) {
    std::vector<double> chain;
    for (int i = 0; i < 100; ++i) chain.push_back(500 + 0.002 * i);
    MzCollector open(5, std::nullopt);
    open.add(chain);
    EXPECT_EQ(open.finish().size(), 1);
    MzCollector capped(5, 50.0);
    capped.add(chain);
    const MzBins bins = capped.finish();
    EXPECT_GT(bins.size(), 5);
    for (std::int32_t b = 0; b < bins.size(); ++b) {
        EXPECT_LE(2 * bins.half_width[b] / bins.center[b] * 1e6, 50.0001);
        if (b > 0) {
            EXPECT_NEAR(bins.center[b] - bins.half_width[b],
                        bins.center[b - 1] + bins.half_width[b - 1], 1e-9);
        }
    }
    for (const double mz : chain) EXPECT_GE(bins.find(mz), 0);
    // Another image of the same masses, which begins and ends elsewhere, is cut at the same places.
    MzCollector part(5, 50.0);
    part.add(std::span(chain).subspan(7, 80));
    const MzBins others = part.finish();
    for (std::int32_t b = 1; b + 1 < others.size(); ++b)
        EXPECT_EQ(bins.center[bins.find(others.center[b])], others.center[b]);
    EXPECT_THROW(MzCollector(5, 9.0), core::ConfigError);
    EXPECT_THROW(MzCollector(0, std::nullopt), core::ConfigError);
}

/// The bins of random images that share some masses; `images` ascend.
std::vector<MzBins> random_images(std::uint64_t seed, std::optional<double> widest) {
    const core::Philox random(seed, core::DrawPurpose::Test);
    std::vector<MzBins> images;
    std::uint64_t draw = 0;
    for (int image = 0; image < 12; ++image) {
        MzCollector collector(5, widest);
        std::vector<double> mz;
        for (int peak = 0; peak < 40; ++peak, draw += 2)
            mz.push_back(300 + 0.05 * std::floor(8 * random.uniform(draw)) +
                         0.01 * random.uniform(draw + 1));
        collector.add(mz);
        images.push_back(collector.finish());
    }
    return images;
}

MzBins united(const std::vector<MzBins>& images, std::optional<double> widest) {
    MzCollector collector(5, widest);
    for (const MzBins& image : images) collector.add(image);
    return collector.finish();
}

TEST(MzReference, ImagesUniteToTheSameInAnyOrderAndGrouping) {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const std::optional<double> widest =
            seed % 2 == 0 ? std::nullopt : std::optional<double>(25);
        auto images = random_images(seed, widest);
        const MzBins reference = united(images, widest);
        const core::Philox random(seed, core::DrawPurpose::Test);
        for (std::size_t i = images.size() - 1; i > 0; --i)
            std::swap(images[i], images[static_cast<std::size_t>(static_cast<double>(i + 1) *
                                                                 random.uniform(1000 + i))]);
        const MzBins shuffled = united(images, widest);
        EXPECT_EQ(shuffled.center, reference.center);
        EXPECT_EQ(shuffled.half_width, reference.half_width);
        const auto half = static_cast<std::ptrdiff_t>(1 + seed % (images.size() - 1));
        const MzBins grouped = united({united({images.begin(), images.begin() + half}, widest),
                                       united({images.begin() + half, images.end()}, widest)},
                                      widest);
        ASSERT_EQ(grouped.size(), reference.size()) << seed;
        for (std::int32_t b = 0; b < grouped.size(); ++b) {
            EXPECT_NEAR(grouped.center[b], reference.center[b], 1e-11);
            EXPECT_NEAR(grouped.half_width[b], reference.half_width[b], 1e-11);
        }
        for (const MzBins& image : images)
            for (const double centre : image.center)
                EXPECT_EQ(grouped.find(centre), reference.find(centre)) << seed;
    }
}

TEST(MzReference, NothingGivesNoBins) {
    MzCollector collector(5, std::nullopt);
    EXPECT_EQ(collector.finish().size(), 0);
}

}  // namespace
}  // namespace smeta::io
