#include "feature_vae.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/threads.hpp"

#include "feature_model.hpp"

namespace {

using namespace smeta;
namespace detail = smeta::align::detail;

constexpr detail::VaeStep kStep{.seed = 3, .epoch = 2, .kl_weight = 0.7};

/// Random rows; about half of the entries are zero.
detail::VaeRows random_rows(std::int64_t rows, std::int32_t features, detail::VaeSide side) {
    detail::VaeRows batch;
    batch.values.cols = features;
    for (std::int64_t r = 0; r < rows; ++r) {
        const core::Philox draws(5, core::DrawPurpose::Test, 1 + side,
                                 {static_cast<std::uint64_t>(side), static_cast<std::uint64_t>(r)});
        std::vector<std::int32_t> columns;
        std::vector<float> values;
        for (std::int32_t f = 0; f < features; ++f) {
            const double value = 4 * draws.uniform(static_cast<std::uint64_t>(f)) - 2;
            if (value <= 0 && f > 0) continue;
            columns.push_back(f);
            values.push_back(static_cast<float>(
                side == detail::kVaeSt ? std::ceil(4 * std::abs(value)) : std::abs(value)));
        }
        batch.values.append_row(columns, values);
        batch.keys.push_back({static_cast<std::uint64_t>(side), static_cast<std::uint64_t>(r)});
    }
    return batch;
}

std::array<detail::VaeRows, 2> random_batch(const detail::VaeShape& shape) {
    return {random_rows(11, shape.features[0], detail::kVaeSm),
            random_rows(14, shape.features[1], detail::kVaeSt)};
}

TEST(FeatureVae, GradientIsThatOfDifferences) {
    const detail::VaeShape shape{{6, 9}, 5, 3, 0.1};
    detail::FeatureVae<double> vae(shape);
    vae.initialise(4);
    const auto rows = random_batch(shape);
    EXPECT_TRUE(std::isfinite(vae.step(rows, kStep)));
    const nn::ParameterArena<double> gradient = vae.gradient();
    constexpr double kDifference = 1e-6;
    int moved = 0;
    for (const nn::TensorSpec& spec : vae.values().layout().tensors())
        for (std::int64_t i = 0; i < spec.size(); ++i) {
            double& value = vae.values().data()[spec.offset + i];
            const double here = value;
            value = here + kDifference;
            const double above = vae.step(rows, kStep);
            value = here - kDifference;
            const double below = vae.step(rows, kStep);
            value = here;
            const double expected = (above - below) / (2 * kDifference);
            EXPECT_NEAR(gradient.data()[spec.offset + i], expected, 1e-5 * (1 + std::abs(expected)))
                << spec.name << " " << i;
            moved += std::abs(expected) > 1e-3;
        }
    EXPECT_GT(moved, 150);
}

/// More features than a tile of the likelihoods holds.
TEST(FeatureVae, WideHeadsHaveTheGradientOfDifferences) {
    const detail::VaeShape shape{{600, 1100}, 8, 4, 0.0};
    detail::FeatureVae<double> vae(shape);
    const auto rows = random_batch(shape);
    vae.step(rows, kStep);
    const nn::ParameterArena<double> gradient = vae.gradient();
    const core::Philox draws(5, core::DrawPurpose::Test, 9);
    std::vector<double> along(gradient.data().size());
    double expected = 0;
    for (std::size_t i = 0; i < along.size(); ++i) {
        along[i] = draws.normal(i);
        expected += along[i] * gradient.data()[i];
    }
    constexpr double kDifference = 1e-7;
    const auto shifted = [&](double length) {
        for (std::size_t i = 0; i < along.size(); ++i) vae.values().data()[i] += length * along[i];
        return vae.step(rows, kStep);
    };
    const double above = shifted(kDifference);
    const double below = shifted(-2 * kDifference);
    EXPECT_NEAR((above - below) / (2 * kDifference), expected, 1e-4 * std::abs(expected));
}

/// Two sections of two regions each; values differ between the regions.
detail::FeatureRows two_regions(std::int64_t side, detail::VaeSide kind) {
    detail::FeatureRows section;
    section.points.resize(side * side, 2);
    section.values.cols = 20;
    for (std::int64_t r = 0; r < side * side; ++r) {
        section.points.row(r) << static_cast<double>(r % side), static_cast<double>(r / side);
        const core::Philox draws(6, core::DrawPurpose::Test, 1 + kind,
                                 {0, static_cast<std::uint64_t>(r)});
        std::vector<std::int32_t> columns;
        std::vector<float> values;
        for (std::int32_t f = 0; f < 20; ++f) {
            const bool high = (f < 10) == (r % side < side / 2);
            const double value = std::floor((high ? 9.0 : 4.0) * draws.uniform(f) * 2);
            if (value <= 0) continue;
            columns.push_back(f);
            values.push_back(static_cast<float>(value));
        }
        section.values.append_row(columns, values);
    }
    return section;
}

detail::FeatureModelOptions quick() {
    detail::FeatureModelOptions options;
    options.hidden = 16;
    options.latent = 4;
    options.epochs = 20;
    options.kl_weight = 0.1;
    options.learning_rate = 5e-3;
    return options;
}

TEST(FeatureModel, LearnsWhatTellsRegionsApart) {
    const detail::FeatureRows sm = two_regions(20, detail::kVaeSm);
    const detail::FeatureRows st = two_regions(14, detail::kVaeSt);
    const detail::FeatureLatents found = detail::learn_features(sm, st, quick());
    ASSERT_EQ(found.losses.size(), 20U);
    EXPECT_LT(found.losses.back(), 0.9 * found.losses.front());
    ASSERT_EQ(found.sm.rows(), 400);
    ASSERT_EQ(found.st.rows(), 196);
    const auto separation = [](const core::MatrixF& latents, std::int64_t side) {
        double best = 0;
        for (Eigen::Index l = 0; l < latents.cols(); ++l) {
            const Eigen::VectorXf centred = latents.col(l).array() - latents.col(l).mean();
            Eigen::VectorXf region(latents.rows());
            for (Eigen::Index r = 0; r < latents.rows(); ++r)
                region[r] = r % side < side / 2 ? 1.0F : -1.0F;
            best = std::max<double>(best, std::abs(centred.normalized().dot(region.normalized())));
        }
        return best;
    };
    EXPECT_GT(separation(found.sm, 20), 0.8);
    EXPECT_GT(separation(found.st, 14), 0.8);
}

TEST(FeatureModel, ThreadsChangeNoBit) {
    const detail::FeatureRows sm = two_regions(13, detail::kVaeSm);
    const detail::FeatureRows st = two_regions(20, detail::kVaeSt);
    detail::FeatureModelOptions options = quick();
    options.epochs = 3;
    core::set_threads(1);
    const detail::FeatureLatents one = detail::learn_features(sm, st, options);
    core::set_threads(3);
    const detail::FeatureLatents three = detail::learn_features(sm, st, options);
    EXPECT_EQ(one.sm, three.sm);
    EXPECT_EQ(one.st, three.st);
    EXPECT_EQ(one.losses, three.losses);
}

TEST(FeatureModel, ASectionOfConstantsHasNoLatents) {
    detail::FeatureRows sm = two_regions(13, detail::kVaeSm);
    for (float& value : sm.values.values) value = 0;
    const detail::FeatureLatents found =
        detail::learn_features(sm, two_regions(13, detail::kVaeSt), quick());
    EXPECT_EQ(found.sm.rows(), 0);
}

TEST(FeatureModel, SetsTheChannelsOfBothRasters) {
    const detail::FeatureRows sm = two_regions(20, detail::kVaeSm);
    const detail::FeatureRows st = two_regions(14, detail::kVaeSt);
    const align::RasterOptions options;
    align::SectionRaster sm_raster = align::rasterise(sm.points, options, "sm");
    align::SectionRaster st_raster = align::rasterise(st.points, options, "st");
    detail::set_latent_channels(sm, st, quick(), options, sm_raster, st_raster);
    EXPECT_EQ(sm_raster.channels.rows(), sm_raster.grid.size());
    EXPECT_GE(sm_raster.channels.cols(), 1);
    EXPECT_GE(st_raster.channels.cols(), 1);
    EXPECT_TRUE(sm_raster.channels.allFinite());
}

}  // namespace
