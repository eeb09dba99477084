// Joint rows that are pixels or places of a grid, and averages by area.
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "smeta/align/align.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/source_info.hpp"

#include "two_frames.hpp"

namespace {

using namespace smeta;
using namespace smeta::test;
using align::ReassignTarget;
using align::ReassignWeights;

const align::AffineTransform kTenfold{{10, 0, 0, 10}, {0, 0}};

align::JointTable joint_of(const io::MuData& raw, const align::ReassignConfig& config,
                           const align::AffineTransform& map = kTenfold) {
    return align::build_joint("s", "c", raw, masks(raw, {}, {}), map, config);
}

std::vector<std::int64_t> integers(const io::Frame& obs, const char* column) {
    return std::get<std::vector<std::int64_t>>(*obs.find(column));
}

std::string error_of(const io::MuData& raw, const align::ReassignConfig& config) {
    try {
        joint_of(raw, config);
    } catch (const core::Error& error) {
        return error.what();
    }
    ADD_FAILURE() << "no error";
    return {};
}

// Spots a, b, c, d at 0, 10, 20, 30 with counts {1, 2}, {3, 0}, {0, 5}, {7, 7}; pixels at 0,
// 10, 20.
TEST(TargetSm, PixelsAverageSpotsToWholeCounts) {
    const io::MuData raw = two_frames();
    align::ReassignConfig config;
    config.target = ReassignTarget::Sm;
    config.radius_factor = 1.0;
    const auto joint = joint_of(raw, config);
    const io::AnnData& st = *joint.data.find("st");
    const io::AnnData& sm = *joint.data.find("sm");
    EXPECT_EQ(joint.data.obs.index, (std::vector<std::string>{"px_0_0", "px_1_0", "px_2_0"}));
    EXPECT_EQ(io::to_dense(*sm.x), values_of({{1, 10}, {2, 20}, {4, 40}}));
    // Means 2, 1; 4/3, 7/3; 10/3, 4.
    EXPECT_EQ(io::to_dense(*st.x), values_of({{2, 1}, {1, 2}, {3, 4}}));
    EXPECT_EQ(integers(st.obs, "st_spots"), (std::vector<std::int64_t>{2, 3, 3}));
    EXPECT_EQ(std::get<Mask>(*st.obs.find("st_covered")), Mask(3, 1));
    EXPECT_EQ(st.obs.find("sm_covered"), nullptr);
    EXPECT_EQ(st.obs.find("label"), nullptr);
    EXPECT_EQ(st.obs, sm.obs);
    // Coordinates, unit and images are the spots'.
    EXPECT_EQ(sm.obsm.at("spatial"), points_of({{0, 0}, {10, 0}, {20, 0}}));
    EXPECT_EQ(io::unit(sm), "pixel");
    EXPECT_TRUE(st.uns.contains("spatial"));
    EXPECT_EQ(joint.summary, "3 pixels, 3 covered by st");
}

TEST(TargetSm, HalvesGoToTheEvenNeighbour) {
    io::MuData raw = two_frames();
    raw.modalities[0].second.x = values_of({{1, 2}, {2, 3}, {0, 0}, {0, 0}});
    align::ReassignConfig config;
    config.target = ReassignTarget::Sm;
    config.neighbors = 2;
    const auto joint = joint_of(raw, config);
    // Pixel 1 lies on b, a is the lower of its two next: 1.5 -> 2, 2.5 -> 2. Pixel 2: 1 and 1.5.
    const auto& x = std::get<core::CountsCsr>(*joint.data.find("st")->x);
    EXPECT_EQ(core::to_dense(x), values_of({{2, 2}, {2, 2}, {1, 2}}));
    raw.modalities[0].second.x = values_of({{1, 0}, {0, 0}, {0, 0}, {0, 0}});
    const auto zeros = joint_of(raw, config);
    EXPECT_EQ(std::get<core::CountsCsr>(*zeros.data.find("st")->x).nnz(), 0);  // 0.5 -> 0
}

TEST(TargetSm, PixelsOutOfReachAreKeptOrDropped) {
    io::MuData raw = two_frames();
    raw.modalities[1].second.obsm["spatial"] = points_of({{0, 0}, {1, 0}, {90, 0}});
    align::ReassignConfig config;
    config.target = ReassignTarget::Sm;
    auto joint = joint_of(raw, config);
    EXPECT_EQ(std::get<Mask>(*joint.data.obs.find("st_covered")), (Mask{1, 1, 0}));
    EXPECT_EQ(joint.data.obs.rows(), 3);
    config.drop_uncovered = true;
    joint = joint_of(raw, config);
    EXPECT_EQ(joint.data.obs.rows(), 2);
    EXPECT_EQ(joint.dropped, (std::map<std::string, std::int64_t>{{"uncovered", 1}}));
}

// Spots on a 6 x 6 lattice of pitch 10, pixels on a 12 x 12 lattice of pitch 5 (0.5 before the
// map).
io::MuData lattices() {
    core::MatrixD spots(36, 2);
    core::MatrixF counts(36, 2);
    std::vector<std::string> spot_names;
    for (int i = 0; i < 36; ++i) {
        spots.row(i) << 10 * (i % 6), 10 * (i / 6);
        counts.row(i) << static_cast<float>(i + 1), 4.0F;
        spot_names.push_back("s" + std::to_string(i));
    }
    core::MatrixD pixels(144, 2);
    core::MatrixF intensities(144, 1);
    std::vector<std::string> pixel_names;
    for (int i = 0; i < 144; ++i) {
        pixels.row(i) << 0.5 * (i % 12), 0.5 * (i / 12);
        intensities(i, 0) = static_cast<float>(i % 12);
        pixel_names.push_back("px_" + std::to_string(i % 12) + "_" + std::to_string(i / 12));
    }
    io::MuData raw;
    raw.modalities.emplace_back("st", modality(spot_names, {"G1", "G2"}, counts, spots));
    raw.modalities.emplace_back("sm", modality(pixel_names, {"mz_1"}, intensities, pixels));
    return raw;
}

TEST(TargetHex, BothAreAveragedWhereBothLie) {
    const io::MuData raw = lattices();
    align::ReassignConfig config;
    config.target = ReassignTarget::Hex;
    const auto joint = joint_of(raw, config);
    const io::Frame& obs = joint.data.obs;
    // Both tissues: 50 x 50; rows 8.66 apart hold 5 or 6 places.
    EXPECT_GE(obs.rows(), 30);
    EXPECT_LE(obs.rows(), 36);
    EXPECT_EQ(obs.index.front().substr(0, 4), "hex_");
    for (const char* column : {"st_covered", "sm_covered"})
        EXPECT_EQ(std::get<Mask>(*obs.find(column)), Mask(obs.index.size(), 1));
    for (const std::int64_t count : integers(obs, "sm_pixels")) EXPECT_EQ(count, 5);
    for (const std::int64_t count : integers(obs, "st_spots")) {
        EXPECT_GE(count, 3);  // within 15 on a lattice of pitch 10, at its corners
        EXPECT_LE(count, 5);
    }
    ASSERT_NE(obs.find("array_row"), nullptr);
    const core::MatrixF counts = io::to_dense(*joint.data.find("st")->x);
    const core::MatrixF intensities = io::to_dense(*joint.data.find("sm")->x);
    const core::MatrixD& places = joint.data.find("st")->obsm.at("spatial");
    for (Eigen::Index r = 0; r < counts.rows(); ++r) {
        EXPECT_EQ(counts(r, 1), 4.0F);
        EXPECT_EQ(counts(r, 0), std::round(counts(r, 0)));
        EXPECT_NEAR(intensities(r, 0), places(r, 0) / 5, 1.0);  // the gradient along x
    }
    config.hex_pitch = 25;
    EXPECT_LE(joint_of(raw, config).data.obs.rows(), 9);
}

TEST(TargetHex, WhatCannotBeIsSaid) {
    align::ReassignConfig config;
    config.target = ReassignTarget::Hex;
    config.hex_pitch = 60;  // the tissues share 50 by 50
    std::string message = error_of(lattices(), config);
    EXPECT_NE(message.find("no place"), std::string::npos) << message;
    EXPECT_NE(message.find("reassign.hex_pitch"), std::string::npos) << message;
    config.hex_pitch = 1e-5;
    message = error_of(lattices(), config);
    EXPECT_NE(message.find("too many places"), std::string::npos) << message;
    config.hex_pitch.reset();
    message = error_of(two_frames(), config);  // all on one line
    EXPECT_NE(message.find("the spots lie on one line"), std::string::npos) << message;
    io::MuData apart = lattices();
    apart.modalities[1].second.obsm["spatial"].array() += 1e4;
    message = error_of(apart, config);
    EXPECT_NE(message.find("share no area"), std::string::npos) << message;
}

TEST(TargetOther, NeedsPixelsOfTheirOwn) {
    io::MuData raw = two_frames();
    atlas::set_paired(raw);
    for (const auto target : {ReassignTarget::Sm, ReassignTarget::Hex}) {
        align::ReassignConfig config;
        config.target = target;
        const std::string message = error_of(raw, config);
        EXPECT_NE(message.find("share their spots by name"), std::string::npos) << message;
        EXPECT_NE(message.find("'s'"), std::string::npos) << message;
    }
    align::ReassignConfig config;
    config.weights = ReassignWeights::Area;
    EXPECT_NE(error_of(raw, config).find("weights = nearest"), std::string::npos);
    // One modality alone has nothing to average: its rows are the joint rows.
    raw.modalities.erase(raw.modalities.begin());
    config.target = ReassignTarget::Sm;
    EXPECT_EQ(joint_of(raw, config).data.obs.rows(), 3);
}

io::MuData with_diameter(io::MuData raw, double diameter) {
    io::UnsDict factors{{"spot_diameter_fullres", {diameter}}};
    io::UnsDict section{{"scalefactors", {factors}}};
    raw.modalities[0].second.uns["spatial"].value = io::UnsDict{{"s", {section}}};
    return raw;
}

TEST(WeightsArea, PixelsCountByTheAreaThatTheyShareWithTheSpot) {
    align::ReassignConfig config;
    config.weights = ReassignWeights::Area;
    // Pixels of side 10 around 0, 10, 20. Spots of diameter 10 lie each in one pixel, d in none.
    auto joint = joint_of(with_diameter(two_frames(), 10), config);
    EXPECT_EQ(io::to_dense(*joint.data.find("sm")->x),
              values_of({{1, 10}, {2, 20}, {4, 40}, {0, 0}}));
    EXPECT_EQ(std::get<Mask>(*joint.data.obs.find("sm_covered")), (Mask{1, 1, 1, 0}));
    const auto pixels = integers(joint.data.obs, "sm_pixels");
    EXPECT_EQ(pixels.front(), 1);
    EXPECT_EQ(pixels.back(), 0);
    const auto overlap = std::get<std::vector<double>>(*joint.data.obs.find("sm_overlap"));
    EXPECT_NEAR(overlap[0], 1, 1e-12);
    EXPECT_EQ(overlap[3], 0);

    // Moved by half a pixel a spot shares half of itself with each of two pixels.
    joint = joint_of(with_diameter(two_frames(), 10), config, {{10, 0, 0, 10}, {5, 0}});
    core::MatrixF x = io::to_dense(*joint.data.find("sm")->x);
    EXPECT_NEAR(x(0, 0), 1, 1e-6);  // its other half lies on no pixel
    EXPECT_NEAR(x(1, 0), 1.5, 1e-6);
    EXPECT_NEAR(x(2, 1), 30, 1e-5);
    EXPECT_NEAR(std::get<std::vector<double>>(*joint.data.obs.find("sm_overlap"))[0], 0.5, 1e-12);

    // A spot of radius 10 holds all of the pixel in its middle and caps of those beside it.
    joint = joint_of(with_diameter(two_frames(), 20), config);
    x = io::to_dense(*joint.data.find("sm")->x);
    const double middle = 100;  // all of the pixel: its corners are 7.07 away
    const double side = 10 * 10 * std::asin(0.5) + 10 * 5 * std::sqrt(0.75) - 50;  // |y| < 5, x > 5
    EXPECT_NEAR(x(1, 0), (2 * middle + side * (1 + 4)) / (middle + 2 * side), 1e-5);
}

TEST(WeightsArea, MirroredAndTurnedPixelsHaveTheSameArea) {
    const io::MuData raw = with_diameter(lattices(), 8);
    align::ReassignConfig config;
    config.weights = ReassignWeights::Area;
    for (const double angle : {0.0, 0.3, 1.0}) {
        const double c = 10 * std::cos(angle);
        const double s = 10 * std::sin(angle);
        io::MuData turned = raw;
        core::MatrixD& spots = turned.modalities[0].second.obsm["spatial"];
        core::MatrixD to(spots.rows(), 2);
        for (Eigen::Index r = 0; r < spots.rows(); ++r)  // mirrored, then turned
            to.row(r) << (-c * spots(r, 0) - s * spots(r, 1)) / 10,
                (-s * spots(r, 0) + c * spots(r, 1)) / 10;
        spots = to;
        const auto joint = joint_of(turned, config, {{-c, -s, -s, c}, {0, 0}});
        const core::MatrixF x = io::to_dense(*joint.data.find("sm")->x);
        const auto& overlap = std::get<std::vector<double>>(*joint.data.obs.find("sm_overlap"));
        for (int i = 0; i < 36; ++i) {
            if (i % 6 == 0 || i % 6 == 5 || i < 6 || i >= 30) continue;
            EXPECT_NEAR(x(i, 0), 2.0 * (i % 6), 1e-4) << angle;  // by symmetry
            EXPECT_NEAR(overlap[i], 1, 1e-9) << angle;
        }
    }
}

TEST(WeightsArea, OtherTargets) {
    align::ReassignConfig config;
    config.weights = ReassignWeights::Area;
    config.target = ReassignTarget::Sm;
    config.spot_diameter = 4;
    config.pixel_size = 0.5;
    auto joint = joint_of(two_frames(), config);  // a pixel holds the spot at its middle
    EXPECT_EQ(io::to_dense(*joint.data.find("st")->x), values_of({{1, 2}, {3, 0}, {0, 5}}));
    const auto overlap = std::get<std::vector<double>>(*joint.data.obs.find("st_overlap"));
    EXPECT_NEAR(overlap[0], std::numbers::pi * 4 / 25, 1e-12);
    config.target = ReassignTarget::Hex;
    joint = joint_of(lattices(), config);
    const auto& covered = std::get<std::vector<double>>(*joint.data.obs.find("sm_overlap"));
    const core::MatrixD& places = joint.data.find("sm")->obsm.at("spatial");
    for (std::size_t r = 0; r < covered.size(); ++r) {
        const auto row = static_cast<Eigen::Index>(r);
        if (places.row(row).minCoeff() < 5 || places.row(row).maxCoeff() > 45) continue;
        EXPECT_NEAR(covered[r], 1, 1e-9);  // pixels leave no gap
    }
}

TEST(WeightsArea, NeedsSizes) {
    align::ReassignConfig config;
    config.weights = ReassignWeights::Area;
    std::string message = error_of(two_frames(), config);
    EXPECT_NE(message.find("reassign.spot_diameter"), std::string::npos) << message;
    io::MuData one = with_diameter(two_frames(), 10);
    one.modalities[1].second = modality({"p"}, {"m"}, values_of({{3}}), points_of({{1, 0}}));
    message = error_of(one, config);
    EXPECT_NE(message.find("reassign.pixel_size"), std::string::npos) << message;
    config.pixel_size = 1;
    EXPECT_EQ(joint_of(one, config).data.obs.rows(), 4);
    config.spot_diameter = 1;
    message = error_of(
        [] {
            io::MuData apart = two_frames();
            apart.modalities[1].second.obsm["spatial"].array() += 50;
            return apart;
        }(),
        config);
    EXPECT_NE(message.find("no spot has an imaging pixel on it"), std::string::npos) << message;
}

}  // namespace
