#include "smeta/align/reassign.hpp"

#include <gtest/gtest.h>

#include "smeta/align/align.hpp"
#include "smeta/core/error.hpp"

#include "two_frames.hpp"

namespace {

using namespace smeta;
using namespace smeta::test;
TEST(AverageNearest, MeanOfTheNearestInReach) {
    const auto pixels = core::from_dense(values_of({{1, 0}, {3, 4}, {5, 0}, {100, 100}}));
    const auto at = points_of({{0, 0}, {1, 0}, {2, 0}, {50, 0}});
    const auto spots = points_of({{0, 0}, {1, 0}, {20, 0}});
    const auto all = align::average_nearest(pixels, at, spots, 5, 2.0);
    EXPECT_EQ(all.pixels, (std::vector<std::int64_t>{3, 3, 0}));
    core::MatrixF expected = values_of({{3, 4.0F / 3.0F}, {3, 4.0F / 3.0F}, {0, 0}});
    EXPECT_EQ(core::to_dense(all.values), expected);
    // Two nearest: spot 1 has pixels 0 and 2 at equal distance, the lower one counts.
    const auto two = align::average_nearest(pixels, at, spots, 2, 2.0);
    expected = values_of({{2, 2}, {2, 2}, {0, 0}});
    EXPECT_EQ(core::to_dense(two.values), expected);
}

TEST(BuildJoint, AveragesPixelsOnSpots) {
    const io::MuData raw = two_frames();
    const align::AffineTransform tenfold{{10, 0, 0, 10}, {0, 0}};
    align::ReassignConfig config;
    config.radius_factor = 1.0;
    const auto joint = align::build_joint("s", "study", raw, masks(raw, {}, {}), tenfold, config);
    ASSERT_EQ(joint.data.modalities.size(), 2U);
    const io::AnnData& st = *joint.data.find("st");
    const io::AnnData& sm = *joint.data.find("sm");
    EXPECT_EQ(io::to_dense(*st.x), values_of({{1, 2}, {3, 0}, {0, 5}, {7, 7}}));
    EXPECT_EQ(io::to_dense(*sm.x), values_of({{1.5, 15}, {7.0F / 3, 70.0F / 3}, {3, 30}, {4, 40}}));
    EXPECT_EQ(st.obs, sm.obs);
    EXPECT_EQ(st.obs, joint.data.obs);
    EXPECT_EQ(std::get<Mask>(*st.obs.find("sm_covered")), Mask(4, 1));
    EXPECT_EQ(std::get<std::vector<std::int64_t>>(*st.obs.find("sm_pixels")),
              (std::vector<std::int64_t>{2, 3, 2, 1}));
    EXPECT_EQ(st.obs.as_text("sample", "")[3], "s");
    EXPECT_EQ(st.obs.as_text("cohort", "")[0], "study");
    EXPECT_EQ(st.obs.as_text("spot", ""), st.obs.index);
    EXPECT_EQ(st.obs.as_text("label", "")[2], "z");
    EXPECT_EQ(sm.obsm.at("spatial"), raw.find("st")->obsm.at("spatial"));
    EXPECT_EQ(sm.var.as_text("type", "")[0], "SM");
    EXPECT_EQ(st.var.as_text("type", "")[1], "ST");
    EXPECT_EQ(st.uns, raw.find("st")->uns);
    EXPECT_EQ(sm.uns.at("smeta"), st.uns.at("smeta"));
    EXPECT_FALSE(sm.uns.contains("spatial"));
    EXPECT_TRUE(std::holds_alternative<core::MatrixF>(*sm.x));
    EXPECT_TRUE(std::holds_alternative<core::CountsCsr>(*st.x));
}

TEST(BuildJoint, HonoursQualityControlAndThresholds) {
    const io::MuData raw = two_frames();
    const align::AffineTransform tenfold{{10, 0, 0, 10}, {0, 0}};
    align::ReassignConfig config;
    config.radius_factor = 0.5;
    const io::MuData qc = masks(raw, {{"st", {1, 0, 1, 1}}, {"sm", {1, 1, 0}}}, {{"sm", {0, 1}}});
    auto joint = align::build_joint("s", "c", raw, qc, tenfold, config);
    EXPECT_EQ(joint.data.obs.index, (std::vector<std::string>{"a", "c", "d"}));
    EXPECT_EQ(std::get<Mask>(*joint.data.obs.find("sm_covered")), (Mask{1, 0, 0}));
    EXPECT_EQ(joint.data.find("sm")->var.index, std::vector<std::string>{"mz_2"});
    EXPECT_EQ(io::to_dense(*joint.data.find("sm")->x), values_of({{10}, {0}, {0}}));
    EXPECT_EQ(io::to_dense(*joint.data.find("st")->x), values_of({{1, 2}, {0, 5}, {7, 7}}));
    config.drop_uncovered = true;
    joint = align::build_joint("s", "c", raw, qc, tenfold, config);
    EXPECT_EQ(joint.data.obs.index, std::vector<std::string>{"a"});
    config.drop_uncovered = false;
    config.max_counts = 5;
    joint = align::build_joint("s", "c", raw, qc, tenfold, config);
    EXPECT_EQ(joint.data.obs.index, (std::vector<std::string>{"a", "c"}));
    config.min_intensity = 11;
    EXPECT_THROW(align::build_joint("s", "c", raw, qc, tenfold, config), core::ConfigError);
}

TEST(BuildJoint, FramesThatDoNotMeetAreAnError) {
    const io::MuData raw = two_frames();
    const align::AffineTransform away{{10, 0, 0, 10}, {1e6, 0}};
    EXPECT_THROW(align::build_joint("s", "c", raw, masks(raw, {}, {}), away, {}),
                 core::ConfigError);
}

TEST(BuildJoint, OneSpotTakesTheScaleOfThePixels) {
    io::MuData raw;
    raw.modalities.emplace_back(
        "st", modality({"a"}, {"G1", "G2"}, values_of({{1, 2}}), points_of({{20, 0}})));
    raw.modalities.emplace_back(
        "sm", modality({"p", "q", "r", "s"}, {"m"}, values_of({{1}, {2}, {6}, {9}}),
                       points_of({{0, 0}, {1, 0}, {2, 0}, {7, 0}})));
    const align::AffineTransform tenfold{{10, 0, 0, 10}, {0, 0}};
    auto joint = align::build_joint("s", "c", raw, masks(raw, {}, {}), tenfold, {});
    EXPECT_EQ(io::to_dense(*joint.data.find("sm")->x), values_of({{4}}));  // within 15
    raw.modalities[1].second =
        modality({"p"}, {"m"}, values_of({{3}}), points_of({{5, 5}}));  // no scale at all
    joint = align::build_joint("s", "c", raw, masks(raw, {}, {}), tenfold, {});
    EXPECT_EQ(io::to_dense(*joint.data.find("sm")->x), values_of({{3}}));
}

TEST(BuildJoint, QualityControlOfOtherDataIsAnError) {
    const io::MuData raw = two_frames();
    io::MuData qc = masks(raw, {}, {});
    qc.modalities[0].second.obs.index[0] = "other";
    EXPECT_THROW(align::build_joint("s", "c", raw, qc, align::AffineTransform{}, {}),
                 core::FormatError);
}

TEST(BuildJoint, ModalitiesWithoutCoordinatesAreJoinedByName) {
    io::MuData raw;
    raw.modalities.emplace_back("st", modality({"a", "b", "c"}, {"G"}, values_of({{1}, {2}, {3}}),
                                               points_of({{0, 0}, {1, 0}, {2, 0}})));
    raw.modalities.emplace_back(
        "sm", modality({"c", "d", "a"}, {"m"}, values_of({{30}, {40}, {10}}), {}));
    auto& sm = raw.modalities[1].second;
    sm.obs.set("score", std::vector<std::int64_t>{3, 4, 1});
    ASSERT_FALSE(align::needs_alignment(raw));
    const auto joint =
        align::build_joint("s", "c", raw, masks(raw, {{"sm", {1, 0, 1}}}, {}), std::nullopt, {});
    EXPECT_EQ(joint.data.obs.index, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(io::to_dense(*joint.data.find("sm")->x), values_of({{10}, {0}, {30}}));
    EXPECT_EQ(std::get<Mask>(*joint.data.obs.find("sm_covered")), (Mask{1, 0, 1}));
    const auto score = joint.data.obs.as_number("score", "");
    EXPECT_EQ(score[0], 1.0);
    EXPECT_TRUE(std::isnan(score[1]));
    EXPECT_EQ(joint.data.obs.find("sm_pixels"), nullptr);
    // Nobody knows where spot d lies.
    const auto all = align::build_joint("s", "c", raw, masks(raw, {}, {}), std::nullopt, {});
    EXPECT_EQ(all.data.obs.index, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_NE(all.summary.find("1 dropped by missing position"), std::string::npos);
}

TEST(BuildJoint, OneModalityAlone) {
    io::MuData raw;
    raw.modalities.emplace_back(
        "sm", modality({"px_0_0", "px_1_0"}, {"m", "n"}, values_of({{1, 2}, {3, 4}}),
                       points_of({{0, 0}, {1, 0}})));
    const auto joint =
        align::build_joint("s", "c", raw, masks(raw, {{"sm", {0, 1}}}, {}), std::nullopt, {});
    EXPECT_EQ(joint.data.obs.index, std::vector<std::string>{"px_1_0"});
    EXPECT_EQ(joint.data.obs.find("sm_covered"), nullptr);
    EXPECT_EQ(joint.data.find("sm")->obsm.at("spatial"), points_of({{1, 0}}));
}

TEST(ChooseAlignment, ByMethod) {
    io::MuData raw = two_frames();
    align::AlignConfig config;
    EXPECT_EQ(align::choose_alignment("s", raw, config).method, "identity");
    config.method = align::AlignMethod::Given;
    EXPECT_THROW(align::choose_alignment("s", raw, config), core::ConfigError);
    const align::AffineTransform given{{2, 0, 0, 2}, {1, 1}};
    atlas::set_given_transform(raw, given);
    config.method = align::AlignMethod::Auto;
    EXPECT_EQ(align::choose_alignment("s", raw, config).transform, given);
    config.method = align::AlignMethod::Identity;
    EXPECT_EQ(align::choose_alignment("s", raw, config).transform, align::AffineTransform{});
}

}  // namespace
