#include "smeta/io/value_policy.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/source_info.hpp"

namespace smeta::io {
namespace {

/// Two spots by three genes with one value replaced.
AnnData table(float value) {
    AnnData data;
    data.obs.index = {"s1", "s2"};
    data.var.index = {"a", "b", "c"};
    core::CountsCsr x;
    x.cols = 3;
    x.append_row(std::vector<std::int32_t>{0, 2}, std::vector<float>{1, 2});
    x.append_row(std::vector<std::int32_t>{1, 2}, std::vector<float>{value, 5});
    data.x = std::move(x);
    data.obsm["spatial"] = core::MatrixD::Ones(2, 2);
    return data;
}

AnnData applied(float value, ValueKind kind, const ValuePolicy& policy = {}) {
    AnnData data = table(value);
    apply_value_policy(data, kind, policy, "f.h5");
    return data;
}

std::vector<float> values(const AnnData& data) {
    return std::get<core::CountsCsr>(*data.x).values;
}

TEST(ValuePolicy, NegativeCountsAreAlwaysRefusedWithRowAndColumn) {
    try {
        applied(-1, ValueKind::Counts, {FractionalCounts::Keep, NanPolicy::Zero, {}});
        FAIL() << "a negative count is refused";
    } catch (const core::FormatError& error) {
        EXPECT_EQ(error.problem().file, "f.h5");
        EXPECT_EQ(error.problem().object, "row 's2', column 'b'");
    }
    EXPECT_EQ(values(applied(-1, ValueKind::Intensities)), (std::vector<float>{1, 2, -1, 5}));
}

TEST(ValuePolicy, FractionalCountsFollowThePolicy) {
    EXPECT_THROW(applied(2.5F, ValueKind::Counts), core::FormatError);
    const ValuePolicy keep{FractionalCounts::Keep, NanPolicy::Error, {}};
    const ValuePolicy round{FractionalCounts::Round, NanPolicy::Error, {}};
    EXPECT_EQ(values(applied(2.75F, ValueKind::Counts, keep)),
              (std::vector<float>{1, 2, 2.75F, 5}));
    EXPECT_EQ(values(applied(2.75F, ValueKind::Counts, round)), (std::vector<float>{1, 2, 3, 5}));
    EXPECT_EQ(values(applied(0.25F, ValueKind::Counts, round)), (std::vector<float>{1, 2, 5}));
    EXPECT_EQ(values(applied(2.5F, ValueKind::Intensities)), (std::vector<float>{1, 2, 2.5F, 5}));
}

TEST(ValuePolicy, NotFiniteValuesFollowThePolicy) {
    for (const float value : {NAN, INFINITY, -INFINITY}) {
        EXPECT_THROW(applied(value, ValueKind::Intensities), core::FormatError);
        const ValuePolicy zero{{}, NanPolicy::Zero, {}};
        EXPECT_EQ(values(applied(value, ValueKind::Counts, zero)), (std::vector<float>{1, 2, 5}));
        const AnnData rest = applied(value, ValueKind::Counts, {{}, NanPolicy::Drop, {}});
        EXPECT_EQ(rest.obs.index, (std::vector<std::string>{"s1"}));
        EXPECT_EQ(values(rest), (std::vector<float>{1, 2}));
        EXPECT_EQ(rest.obsm.at("spatial").rows(), 1);
        EXPECT_EQ(dropped(rest, "not_finite"), 1);
    }
}

TEST(ValuePolicy, RepeatedNamesAreNamed) {
    EXPECT_NO_THROW(check_unique({"a", "b"}, "barcode", "f"));
    try {
        check_unique({"a", "b", "a"}, "barcode", "f");
        FAIL() << "a repeated name is refused";
    } catch (const core::FormatError& error) {
        EXPECT_EQ(error.problem().object, "barcode 'a'");
    }
}

TEST(SourceInfo, UnitAndCountsOfDroppedRows) {
    AnnData data = table(3);
    EXPECT_EQ(unit(data), "");
    EXPECT_FALSE(microns_per_unit(data));
    set_unit(data, kUnitPixel, 0.5);
    EXPECT_EQ(unit(data), "pixel");
    EXPECT_EQ(microns_per_unit(data), 0.5);
    note_dropped(data, "zero_total", 2);
    note_dropped(data, "zero_total", 3);
    note_dropped(data, "no_position", 0);
    EXPECT_EQ(dropped(data, "zero_total"), 5);
    EXPECT_EQ(dropped(data, "no_position"), 0);
}

TEST(SourceInfo, NamesAreMadeUniqueAsAnndataDoes) {
    EXPECT_EQ(make_unique({"A", "B", "A", "A-1", "A"}),
              (std::vector<std::string>{"A", "B", "A-2", "A-1", "A-3"}));
    EXPECT_EQ(make_unique({"A", "B"}), (std::vector<std::string>{"A", "B"}));
}

TEST(SourceInfo, GeneNames) {
    EXPECT_EQ(cut_version("ENSMUSG00000064339.1"), "ENSMUSG00000064339");
    EXPECT_EQ(cut_version("ENSG00000182378.10_PAR_Y"), "ENSG00000182378.10_PAR_Y");
    EXPECT_EQ(cut_version("FO538757.1"), "FO538757.1");
    EXPECT_FALSE(is_ensembl_id("ENSA"));
    const Frame ids = gene_frame({"ENSG00000000001.3", "ENSG00000000002"}, {}, "f");
    EXPECT_EQ(ids.index, (std::vector<std::string>{"ENSG00000000001", "ENSG00000000002"}));
    EXPECT_EQ(ids.as_text("gene_id", "f"), ids.index);
    const Frame both = gene_frame({"TP53", "TP53"}, {"ENSG00000000001.3", "ENSG00000000002"}, "f");
    EXPECT_EQ(both.index, (std::vector<std::string>{"TP53", "TP53-1"}));
    EXPECT_THROW(gene_frame({"a", "b"}, {"ENSG00000000001.3", "ENSG00000000001"}, "f"),
                 core::FormatError);
    EXPECT_EQ(gene_frame({"TP53"}, {}, "f").find("gene_id"), nullptr);
}

TEST(SourceInfo, MetaboliteNames) {
    EXPECT_EQ(metabolite_name(426.928864, "pos"), "mz_426.9289_pos");
    EXPECT_EQ(metabolite_name(426.928864, ""), "mz_426.9289");
    EXPECT_EQ(mz_from_name("mz-426.928"), 426.928);
    EXPECT_EQ(mz_from_name("mz_426.9289_pos"), 426.9289);
    EXPECT_EQ(mz_from_name("426.928864"), 426.928864);
    EXPECT_EQ(mz_from_name("X426.9"), 426.9);
    EXPECT_FALSE(mz_from_name("H_mean"));
    EXPECT_FALSE(mz_from_name("glucose"));
    EXPECT_FALSE(mz_from_name("5-HT"));
    EXPECT_FALSE(mz_from_name(""));
}

}  // namespace
}  // namespace smeta::io
