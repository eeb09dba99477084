#include "smeta/io/sm_imzml.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/io/imzml_writer.hpp"
#include "smeta/io/source_info.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

struct Pixel {
    std::int32_t x;
    std::int32_t y;
    std::vector<double> mz;
    std::vector<float> intensity;
};

std::string write_image(const std::string& path, Polarity polarity,
                        const std::vector<Pixel>& pixels) {
    ImzmlWriter writer(path, {ImzmlMode::Processed, polarity, Compression::None, 30.0, 1});
    for (const Pixel& p : pixels) writer.add(p.x, p.y, p.mz, p.intensity);
    writer.finish();
    return path;
}

core::MatrixF dense(const AnnData& data) {
    return core::to_dense(std::get<core::CountsCsr>(*data.x));
}

TEST(SmImzml, BinsSumsAndDropsByHand) {
    const test::TemporaryFolder folder;
    // 100.0 and 100.0005 share a bin at 5 ppm; 200 is its own.
    const std::string path = write_image(folder / "a.imzML", Polarity::Positive,
                                         {{1, 1, {100.0, 100.0005, 200.0}, {1, 2, 4}},
                                          {2, 1, {200.0}, {0}},
                                          {3, 1, {100.0002}, {8}},
                                          {1, 1, {100.0}, {99}}});
    const AnnData data = read_sm_imzml({path}, {});
    EXPECT_EQ(data.obs.index, (std::vector<std::string>{"px_1_1", "px_3_1"}));
    EXPECT_EQ(data.var.index, (std::vector<std::string>{"mz_100.0003_pos", "mz_200.0000_pos"}));
    EXPECT_EQ(dense(data), (core::MatrixF(2, 2) << 3, 4, 8, 0).finished());
    EXPECT_EQ(data.obs.as_number("total_intensity", path), (std::vector<double>{7, 8}));
    EXPECT_EQ(data.obsm.at("spatial"), (core::MatrixD(2, 2) << 1, 1, 3, 1).finished());
    EXPECT_EQ(dropped(data, "zero_total"), 1);
    EXPECT_EQ(dropped(data, "duplicate_position"), 1);
    EXPECT_EQ(unit(data), kUnitRaster);
    EXPECT_EQ(microns_per_unit(data), 30.0);
    EXPECT_EQ(data.var.as_text("polarity", path), (std::vector<std::string>{"pos", "pos"}));
}

TEST(SmImzml, PolaritiesAreJoinedByPositionInTheOrderOfPositive) {
    const test::TemporaryFolder folder;
    const std::string pos =
        write_image(folder / "pos.imzML", Polarity::Positive,
                    {{2, 1, {100.0}, {1}}, {1, 1, {100.0}, {2}}, {9, 9, {100.0}, {3}}});
    const std::string neg = write_image(
        folder / "neg.imzML", Polarity::Negative,
        {{1, 1, {100.0, 300.0}, {10, 20}}, {2, 1, {300.0}, {30}}, {7, 7, {300.0}, {1}}});
    const AnnData data = read_sm_imzml({neg, pos}, {});  // the files say which is which
    EXPECT_EQ(data.obs.index, (std::vector<std::string>{"px_2_1", "px_1_1"}));
    EXPECT_EQ(data.var.index,
              (std::vector<std::string>{"mz_100.0000_pos", "mz_100.0000_neg", "mz_300.0000_neg"}));
    EXPECT_EQ(dense(data), (core::MatrixF(2, 3) << 1, 0, 30, 2, 10, 20).finished());
    EXPECT_EQ(data.obs.as_number("total_intensity_pos", pos), (std::vector<double>{1, 2}));
    EXPECT_EQ(data.obs.as_number("total_intensity_neg", pos), (std::vector<double>{30, 30}));
    EXPECT_EQ(data.obs.as_number("total_intensity", pos), (std::vector<double>{31, 32}));
    EXPECT_EQ(dropped(data, "unmatched_position"), 2);
    EXPECT_THROW(read_sm_imzml({pos, pos}, {}), core::FormatError);
    const std::string far =
        write_image(folder / "far.imzML", Polarity::Negative, {{5, 5, {1.0}, {1}}});
    EXPECT_THROW(read_sm_imzml({pos, far}, {}), core::FormatError);
    EXPECT_THROW(read_sm_imzml({}, {}), core::ConfigError);
}

TEST(SmImzml, WrongMzAndIntensitiesAreNamed) {
    const test::TemporaryFolder folder;
    const std::string zero =
        write_image(folder / "a.imzML", Polarity::Positive, {{1, 1, {0.0}, {1}}});
    EXPECT_THROW(read_sm_imzml({zero}, {}), core::FormatError);
    const std::string nan = write_image(folder / "b.imzML", Polarity::Positive,
                                        {{1, 1, {100.0, 200.0}, {NAN, 3}}, {2, 1, {100.0}, {5}}});
    EXPECT_THROW(read_sm_imzml({nan}, {}), core::FormatError);
    SmImzmlOptions options;
    options.values.nan = NanPolicy::Zero;
    EXPECT_EQ(dense(read_sm_imzml({nan}, options)), (core::MatrixF(2, 2) << 0, 3, 5, 0).finished());
}

/// Spec A2 in the plainest form: bins from all m/z, then every peak looked up in every bin.
core::MatrixF by_definition(const std::vector<Pixel>& pixels, const MzBins& bins) {
    core::MatrixD x = core::MatrixD::Zero(pixels.size(), bins.size());
    for (std::size_t p = 0; p < pixels.size(); ++p)
        for (std::size_t k = 0; k < pixels[p].mz.size(); ++k)
            for (std::int32_t b = 0; b < bins.size(); ++b)
                if (bins.contains(b, pixels[p].mz[k])) x(p, b) += pixels[p].intensity[k];
    return x.cast<float>();
}

TEST(SmImzml, EqualsTheDefinitionOnRandomSpectraSortedOrNot) {
    const test::TemporaryFolder folder;
    const core::Philox random(3, core::DrawPurpose::Test);
    std::uint64_t draw = 0;
    std::vector<Pixel> pixels;
    for (int p = 0; p < 40; ++p) {
        Pixel pixel{p + 1, 1, {}, {}};
        const auto peaks = 1 + random.below(draw++, 60);
        for (std::uint64_t k = 0; k < peaks; ++k) {
            const double base = 100.0 + 10.0 * static_cast<double>(random.below(draw++, 80));
            pixel.mz.push_back(base * (1 + 6e-6 * (random.uniform(draw++) - 0.5)));
            pixel.intensity.push_back(static_cast<float>(1 + 100 * random.uniform(draw++)));
        }
        if (p % 2 == 0) std::sort(pixel.mz.begin(), pixel.mz.end());
        pixels.push_back(std::move(pixel));
    }
    const std::string path = write_image(folder / "a.imzML", Polarity::Positive, pixels);
    ImzmlReader reader(path);
    const MzBins bins = mz_reference(reader, {}, path);
    EXPECT_EQ(bins.size(), 80);
    EXPECT_TRUE(dense(read_sm_imzml({path}, {})).isApprox(by_definition(pixels, bins), 1e-6F));
}

TEST(SmImzml, RealFiles) {
    if (!test::have_shared()) GTEST_SKIP() << test::kNoShared;
    const auto folder = test::shared_dir() / "data/imzml";
    // The two examples hold the same profile spectra: the same m/z, hence the same bins and sums.
    const AnnData a = read_sm_imzml({(folder / "Example_Continuous.imzML").string()}, {});
    const AnnData b = read_sm_imzml({(folder / "Example_Processed.imzML").string()}, {});
    EXPECT_EQ(a.obs.rows(), 9);
    EXPECT_GT(a.var.rows(), 1000);
    EXPECT_EQ(a.var.index, b.var.index);
    EXPECT_EQ(std::get<core::CountsCsr>(*a.x), std::get<core::CountsCsr>(*b.x));
    ImzmlReader reader((folder / "Untreated_3_434_tiny.imzML").string());
    Spectrum spectrum;
    double expected = 0;
    for (std::size_t i = 0; i < reader.spectra().size(); ++i) {
        reader.read(static_cast<std::int64_t>(i), spectrum);
        for (const float value : spectrum.intensity) expected += value;
    }
    const AnnData crop = read_sm_imzml({(folder / "Untreated_3_434_tiny.imzML").string()}, {});
    EXPECT_EQ(crop.obs.rows(), 8);
    double total = 0;
    for (const double row : crop.obs.as_number("total_intensity", "")) total += row;
    EXPECT_NEAR(total, expected, 1e-6 * expected);  // no peak is lost between bins
}

}  // namespace
}  // namespace smeta::io
