#include "smeta/io/joint.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/source_info.hpp"

namespace smeta::io {
namespace {

AnnData joint() {
    AnnData data;
    data.obs.index = {"a", "b"};
    data.obs.set("sample", std::vector<std::string>{"S1", "S2"});
    data.var.index = {"TP53", "mz-426.928", "ACTB", "mz-100.5"};
    data.var.set("type", std::vector<std::string>{"ST", "SM_pos", "ST", "SM_neg"});
    data.x = core::from_dense((core::MatrixF(2, 4) << 1, 2.5, 3, 0, 0, 0.5, 7, 8).finished());
    data.obsm["spatial"] = (core::MatrixD(2, 2) << 1, 2, 3, 4).finished();
    set_unit(data, kUnitPixel, 0.5);
    return data;
}

core::MatrixF dense(const AnnData& data) {
    return core::to_dense(to_csr(*data.x));
}

TEST(Joint, IsSplitByType) {
    const AnnData data = joint();
    EXPECT_TRUE(is_joint(data));
    const JointModalities parts = split_joint(data, {}, "f");
    ASSERT_TRUE(parts.st && parts.sm);
    EXPECT_EQ(parts.st->var.index, (std::vector<std::string>{"TP53", "ACTB"}));
    EXPECT_EQ(dense(*parts.st), (core::MatrixF(2, 2) << 1, 3, 0, 7).finished());
    EXPECT_EQ(parts.sm->var.index, (std::vector<std::string>{"mz-426.928", "mz-100.5"}));
    EXPECT_EQ(dense(*parts.sm), (core::MatrixF(2, 2) << 2.5, 0, 0.5, 8).finished());
    EXPECT_EQ(parts.sm->var.as_text("polarity", "f"), (std::vector<std::string>{"pos", "neg"}));
    EXPECT_EQ(parts.sm->var.as_number("mz", "f"), (std::vector<double>{426.928, 100.5}));
    EXPECT_EQ(parts.st->var.find("type"), nullptr);
    for (const AnnData* part : {&*parts.st, &*parts.sm}) {
        EXPECT_EQ(part->obs, data.obs);
        EXPECT_EQ(part->obsm.at("spatial"), data.obsm.at("spatial"));
        EXPECT_EQ(unit(*part), kUnitPixel);
    }
}

TEST(Joint, RawCountsAreTakenFromTheirLayer) {
    AnnData data = joint();
    data.layers["counts"] = *data.x;
    data.x =
        core::from_dense((core::MatrixF(2, 4) << 0.1, 0.2, 0.3, 0, 0, 0.5, 0.7, 0.8).finished());
    EXPECT_EQ(dense(*split_joint(data, {}, "f").st),
              (core::MatrixF(2, 2) << 1, 3, 0, 7).finished());
    data.layers.clear();
    EXPECT_THROW(split_joint(data, {}, "f"), core::FormatError);  // fractional counts
}

TEST(Joint, OneModalityAndWrongTypes) {
    AnnData data = joint();
    data.var.set("type", std::vector<std::string>(4, "SM"));
    const JointModalities parts = split_joint(data, {}, "f");
    EXPECT_FALSE(parts.st);
    EXPECT_EQ(parts.sm->var.rows(), 4);
    data.var.set("type", std::vector<std::string>{"ST", "SM", "ST", "protein"});
    EXPECT_FALSE(is_joint(data));
    EXPECT_THROW(split_joint(data, {}, "f"), core::FormatError);
    data.var.columns.clear();
    EXPECT_THROW(split_joint(data, {}, "f"), core::FormatError);
    AnnData twice = joint();
    twice.obs.index = {"a", "a"};
    EXPECT_THROW(split_joint(twice, {}, "f"), core::FormatError);
}

TEST(Joint, RowsDroppedByValueAreDroppedInBoth) {
    AnnData data = joint();
    std::get<core::CountsCsr>(*data.x).values[0] = NAN;
    const JointModalities parts = split_joint(data, {{}, NanPolicy::Drop, {}}, "f");
    EXPECT_EQ(parts.st->obs.index, (std::vector<std::string>{"b"}));
    EXPECT_EQ(parts.sm->obs.index, (std::vector<std::string>{"b"}));
    EXPECT_EQ(dropped(*parts.sm, "not_finite"), 1);
}

TEST(Joint, JoinOrdersSmThenStByName) {
    const JointModalities parts = split_joint(joint(), {}, "f");
    const AnnData back = join_modalities(&*parts.sm, &*parts.st);
    EXPECT_EQ(back.var.index, (std::vector<std::string>{"mz-100.5", "mz-426.928", "ACTB", "TP53"}));
    EXPECT_EQ(back.var.as_text("type", "f"), (std::vector<std::string>{"SM", "SM", "ST", "ST"}));
    EXPECT_EQ(dense(back), (core::MatrixF(2, 4) << 0, 2.5, 3, 1, 8, 0.5, 7, 0).finished());
    const std::vector<double> mz = back.var.as_number("mz", "f");
    EXPECT_EQ(mz[1], 426.928);
    EXPECT_TRUE(std::isnan(mz[2]));
    EXPECT_EQ(back.var.as_text("polarity", "f"), (std::vector<std::string>{"neg", "pos", "", ""}));
    EXPECT_EQ(back.obs, joint().obs);
    const AnnData only = join_modalities(nullptr, &*parts.st);
    EXPECT_EQ(only.var.index, (std::vector<std::string>{"ACTB", "TP53"}));
}

}  // namespace
}  // namespace smeta::io
