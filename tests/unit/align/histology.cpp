#include "smeta/align/histology.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include <gtest/gtest.h>

#include "smeta/align/alignment.hpp"
#include "smeta/align/fit.hpp"
#include "smeta/core/random.hpp"

#include "support/support.hpp"

namespace smeta::align {
namespace {

using Rgb = std::array<std::uint8_t, 3>;
constexpr double kScale = 0.5;  // image pixels per unit

/// The colour of tissue with so much of both stains, by the matrix of the deconvolution.
Rgb colour(double haematoxylin, double eosin) {
    const std::array<double, 3> h{0.65, 0.70, 0.29};
    const std::array<double, 3> e{0.07, 0.99, 0.11};
    Rgb rgb{};
    for (int c = 0; c < 3; ++c)
        rgb[c] = static_cast<std::uint8_t>(
            std::lround(255 * std::pow(1e-6, haematoxylin * h[c] + eosin * e[c])));
    return rgb;
}

/// 300 x 300 pixels, 600 x 600 units.
io::SectionImage draw(const std::function<Rgb(double, double)>& at) {
    const core::Philox noise(3, core::DrawPurpose::Test, 1);
    io::SectionImage image{{300, 300, 3, {}}, kScale, "drawn"};
    for (std::int64_t y = 0; y < 300; ++y)
        for (std::int64_t x = 0; x < 300; ++x)
            for (int c = 0; c < 3; ++c) {
                const double value =
                    at((static_cast<double>(x) + 0.5) / kScale,
                       (static_cast<double>(y) + 0.5) / kScale)[c] +
                    4 * noise.uniform(static_cast<std::uint64_t>((y * 300 + x) * 3 + c)) - 2;
                image.image.values.push_back(
                    static_cast<std::uint8_t>(std::clamp(value, 0.0, 255.0)));
            }
    return image;
}

constexpr Rgb kGlass{238, 236, 240};

bool in_disc(double x, double y, double cx, double cy, double radius) {
    return std::hypot(x - cx, y - cy) < radius;
}

/// Spots of a lattice in the disc about (cx, cy).
core::MatrixD spots(double cx, double cy, double radius, double pitch) {
    std::vector<double> places;
    for (double y = cy - radius; y <= cy + radius; y += pitch)
        for (double x = cx - radius; x <= cx + radius; x += pitch)
            if (in_disc(x, y, cx, cy, radius)) places.insert(places.end(), {x, y});
    return Eigen::Map<core::MatrixD>(places.data(), static_cast<Eigen::Index>(places.size() / 2),
                                     2);
}

TEST(Histology, StainsAreWhatTheColourWasMadeOf) {
    for (const double h : {0.0, 0.02, 0.06})
        for (const double e : {0.0, 0.03, 0.07}) {
            const Stains found = stains(colour(h, e));
            EXPECT_NEAR(found.haematoxylin, h, 1e-3);
            EXPECT_NEAR(found.eosin, e, 1e-3);
            EXPECT_NEAR(found.residual, 0, 1e-3);
        }
    EXPECT_NEAR(grey({100, 200, 50}), 29.89 + 117.4 + 5.7, 1e-9);
}

TEST(Histology, TissueIsWhatIsStained) {
    const auto image = draw([](double x, double y) {
        if (y > 560) return Rgb{0, 0, 0};  // padding
        return in_disc(x, y, 300, 260, 150) ? colour(0.02 + 0.03 * (x > 300), 0.02) : kGlass;
    });
    const TissueMask mask = find_tissue(image.image);
    ASSERT_TRUE(mask.found());
    std::int64_t wrong = 0;
    for (std::int64_t y = 0; y < 300; ++y)
        for (std::int64_t x = 0; x < 300; ++x)
            wrong += (mask.tissue[y * 300 + x] == 1) !=
                     in_disc((static_cast<double>(x) + 0.5) / kScale,
                             (static_cast<double>(y) + 0.5) / kScale, 300, 260, 150);
    EXPECT_LT(wrong, 100);
    EXPECT_NEAR(mask.glass, 237, 2);
}

TEST(Histology, NoTissueOnGlassAloneOrOnDarkGround) {
    EXPECT_FALSE(find_tissue(draw([](double, double) { return kGlass; }).image).found());
    const auto dark = draw([](double x, double y) {
        return in_disc(x, y, 300, 300, 200) ? Rgb{90, 60, 80} : Rgb{20, 20, 20};
    });
    EXPECT_FALSE(find_tissue(dark.image).found());
    EXPECT_FALSE(find_tissue(io::Image{2, 2, 1, {0, 0, 0, 0}}).found());
}

/// The disc of the spots, not the other piece of tissue on the slide, though spots take only a
/// part.
TEST(Histology, SectionOfTheImageIsTheTissueOfTheSpots) {
    const auto image = draw([](double x, double y) {
        const bool tissue = in_disc(x, y, 220, 300, 170) || in_disc(x, y, 520, 300, 60);
        return tissue ? colour(0.03, 0.03) : kGlass;
    });
    const SectionRaster from_spots = rasterise(spots(220, 300, 130, 12), {}, "spots");
    const SectionRaster section =
        image_section(from_spots, image, find_tissue(image.image), {}, "image");
    const double area = std::numbers::pi * 170 * 170;
    EXPECT_NEAR(section.area, area, 0.02 * area);
    EXPECT_NEAR(section.centre[0], 220, 2);
    EXPECT_NEAR(section.centre[1], 300, 2);
    EXPECT_EQ(section.pitch, from_spots.pitch);
    EXPECT_EQ(section.points, from_spots.points);
}

TEST(Histology, LayersAreMeansOverCellsAndEndWithTheImage) {
    const auto image = draw([](double x, double) { return x < 300 ? colour(0.05, 0.01) : kGlass; });
    RasterGrid grid{40, 30, 100, 100, 20};
    const ImageLayers layers = rasterise_image(image, find_tissue(image.image), grid);
    EXPECT_NEAR(layers.tissue[5 * 40 + 3], 1, 0.01);
    EXPECT_NEAR(layers.stains(5 * 40 + 3, 0), 0.05, 2e-3);
    EXPECT_NEAR(layers.stains(5 * 40 + 3, 1), 0.01, 2e-3);
    EXPECT_NEAR(layers.tissue[5 * 40 + 20], 0, 0.01);
    EXPECT_EQ(layers.tissue[5 * 40 + 30], -1);  // x = 700
    EXPECT_EQ(layers.stains(5 * 40 + 30, 0), 0);
    grid.cell = 0.1;  // below a pixel
    EXPECT_NEAR(rasterise_image(image, find_tissue(image.image), grid).tissue[0], 1, 0.01);
}

TEST(Histology, JoinedStainsHaveTheWeightAsStandardDeviation) {
    const auto image = draw([](double x, double y) {
        return in_disc(x, y, 300, 300, 200) ? colour(0.03 + 0.02 * std::sin(0.03 * x), 0.03)
                                            : kGlass;
    });
    SectionRaster raster = rasterise(spots(300, 300, 190, 12), {}, "spots");
    join_stains(raster, rasterise_image(image, find_tissue(image.image), raster.grid), 0.5);
    ASSERT_EQ(raster.channels.cols(), 2);
    double sum = 0;
    double square = 0;
    double n = 0;
    for (std::int64_t c = 0; c < raster.grid.size(); ++c)
        if (raster.inside(c)) {
            sum += raster.channels(c, 0);
            square += raster.channels(c, 0) * raster.channels(c, 0);
            ++n;
        }
    EXPECT_NEAR(sum / n, 0, 1e-3);
    EXPECT_NEAR(std::sqrt(square / n), 0.5, 1e-3);
}

/// Round sections fit in every orientation; that the imaging section follows the haematoxylin tells
/// which one is right.
TEST(Histology, StainsAloneTellTheOrientation) {
    const auto density = [](double x, double y) {
        return 0.03 + 0.02 * std::exp(-std::pow((x - 380) / 50, 2) - std::pow((y - 300) / 80, 2)) +
               0.015 * std::exp(-std::pow((x - 260) / 60, 2) - std::pow((y - 400) / 40, 2));
    };
    const auto image = draw([&](double x, double y) {
        return in_disc(x, y, 300, 300, 200) ? colour(density(x, y), 0.03) : kGlass;
    });
    SectionRaster st = rasterise(spots(300, 300, 195, 12), {}, "spots");
    const double angle = 2.2;
    core::MatrixD pixels = spots(0, 0, 195, 8);
    core::CountsCsr values;
    values.cols = 2;
    for (Eigen::Index r = 0; r < pixels.rows(); ++r) {
        const double x = 300 + std::cos(angle) * pixels(r, 0) - std::sin(angle) * pixels(r, 1);
        const double y = 300 + std::sin(angle) * pixels(r, 0) + std::cos(angle) * pixels(r, 1);
        values.append_row(std::vector<std::int32_t>{0, 1},
                          std::vector<float>{static_cast<float>(1000 * density(x, y)), 40.0F});
    }
    SectionRaster sm = rasterise(pixels, {}, "pixels");
    SectionContent content(sm, pixels, values.cols, {});
    content.measure(values.view());
    content.add(0, values.view());
    content.finish();
    EXPECT_TRUE(fit_sections(sm, st, {}).ambiguous);
    join_stains(st, rasterise_image(image, find_tissue(image.image), st.grid), 1);
    const Fit fit = fit_sections(sm, st, {});
    const auto& a = fit.candidates.front().affine.a;
    EXPECT_GT(a[0] * a[3] - a[1] * a[2], 0);
    const double found = std::atan2(a[2] - a[1], a[0] + a[3]);
    EXPECT_LT(std::abs(std::remainder(found - angle, 2 * std::numbers::pi)), 0.1);
    EXPECT_FALSE(fit.ambiguous);
}

TEST(Histology, IsReadFromTheAlignmentsFileAsItWasWritten) {
    const test::TemporaryFolder folder;
    Alignment alignment{"fit", {}, "raster", "pixel", Fit{}};
    HistologyFit& histology = alignment.histology.emplace();
    histology.image = "uns/spatial/S/images/hires";
    histology.objection = "it lies elsewhere";
    histology.outside = 0.25;
    histology.on_tissue = 0.5;
    histology.coverage = 0.75;
    histology.weight = 2;
    histology.gave_outline = true;
    histology.overlap = 0.875;
    histology.outline = core::MatrixD::Random(5, 4);
    histology.picture = {1, 2, 3, {1, 2, 3, 4, 5, 6}};
    histology.picture_origin = {10, 20};
    histology.picture_pixel = 3;
    write_alignment(folder / "a.h5", alignment);
    const auto read = read_alignment(folder / "a.h5").histology;
    ASSERT_TRUE(read);
    EXPECT_EQ(read->image, histology.image);
    EXPECT_TRUE(read->disagrees());
    EXPECT_EQ(read->objection, histology.objection);
    EXPECT_EQ(read->outside, 0.25);
    EXPECT_EQ(read->on_tissue, 0.5);
    EXPECT_EQ(read->coverage, 0.75);
    EXPECT_EQ(read->weight, 2);
    EXPECT_TRUE(read->gave_outline);
    EXPECT_EQ(read->overlap, 0.875);
    EXPECT_EQ(read->outline, histology.outline);
    EXPECT_EQ(read->picture, histology.picture);
    EXPECT_EQ(read->picture_origin, histology.picture_origin);
    EXPECT_EQ(read->picture_pixel, 3);
    alignment.histology.reset();
    write_alignment(folder / "b.h5", alignment);
    EXPECT_FALSE(read_alignment(folder / "b.h5").histology);
}

}  // namespace
}  // namespace smeta::align
