#include "smeta/atlas/export.hpp"

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

#include "support/atlas_data.hpp"
#include "support/support.hpp"

namespace smeta::atlas {
namespace {

using test::joint_data;
using TrainingRun = Run;  // testing::Test has a member of that name

constexpr const char* kKey = "00000000000000aa";

/// Sample A lacks gene11 and has a gene of its own; B has no metabolites; C shares spot names with
/// A where asked.
struct Example {
    test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    io::MuData a = joint_data("A", 10);
    io::MuData b = joint_data("B", 6);

    Example() {
        io::Frame& genes = a.modalities[1].second.var;
        genes.index[1] = "a_gene";
        io::UnsDict section;
        section["scalefactors"].value = io::UnsDict{{"tissue_lowres_scalef", {0.5}}};
        io::UnsDict spatial;
        spatial["any"].value = section;
        a.modalities[1].second.uns["spatial"].value = spatial;
        b.modalities.erase(b.modalities.begin());
        b.modalities[0].second.obs.set("platform", std::vector<std::string>(6, "v2"));
        b.obs = b.modalities[0].second.obs;
        atlas.commit_joint("A", "c", kKey, a);
        atlas.commit_joint("B", "d", kKey, b);
    }
};

TEST(Export, joint_layout_has_metabolites_then_genes_of_all_samples) {
    const Example example;
    const io::AnnData data = export_joint(example.atlas, nullptr, ExportLayers::None);
    ASSERT_EQ(data.obs.rows(), 16);
    ASSERT_EQ(data.var.rows(), 7 + 12);
    const auto types = data.var.as_text("type", "");
    for (std::int64_t f = 0; f < 19; ++f) EXPECT_EQ(types[f], f < 7 ? "SM" : "ST");
    EXPECT_TRUE(std::is_sorted(data.var.index.begin() + 7, data.var.index.end()));
    const core::MatrixF x = io::to_dense(*data.x);
    const core::MatrixF sm = io::to_dense(*example.a.find("sm")->x);
    EXPECT_TRUE(x.topLeftCorner(10, 7) == sm);
    EXPECT_TRUE(x.bottomLeftCorner(6, 7).isZero());
    for (const auto& [sample, first] : {std::pair(&example.a, 0), std::pair(&example.b, 10)}) {
        const io::AnnData& st = *sample->find("st");
        const core::MatrixF values = io::to_dense(*st.x);
        for (std::int64_t f = 0; f < st.var.rows(); ++f) {
            const auto column =
                std::find(data.var.index.begin(), data.var.index.end(), st.var.index[f]) -
                data.var.index.begin();
            ASSERT_LT(column, 19);
            EXPECT_TRUE(x.block(first, column, values.rows(), 1) == values.col(f)) << f;
        }
    }
    EXPECT_EQ(data.obs.as_text("cohort", "")[12], "d");
    EXPECT_EQ(data.obs.as_text("platform", "")[0], "");
    EXPECT_EQ(data.obs.as_text("platform", "")[15], "v2");
    EXPECT_EQ(data.obs.index, data.obs.as_text("spot", ""));  // unique: kept
    EXPECT_EQ(data.obsm.at("spatial").rows(), 16);
    EXPECT_EQ(std::get<io::UnsDict>(data.uns.at("spatial").value).count("A"), 1U);
    const auto& regions = std::get<io::UnsDict>(data.uns.at("spatialdata_attrs").value);
    EXPECT_EQ(std::get<std::vector<std::string>>(regions.at("region").value),
              (std::vector<std::string>{"A", "B"}));
    EXPECT_EQ(std::get<std::string>(regions.at("region_key").value), "sample");
    EXPECT_EQ(std::get<std::string>(regions.at("instance_key").value), "spot");
}

TEST(Export, spot_names_that_repeat_get_the_sample) {
    Example example;
    io::MuData c = example.a;
    example.atlas.commit_joint("C", "c", kKey, c);
    const io::AnnData data = export_joint(example.atlas, nullptr, ExportLayers::None);
    EXPECT_EQ(data.obs.index[0], "A_spot0-A");
    EXPECT_EQ(data.obs.index[10], "B_spot0-B");
    EXPECT_EQ(data.obs.index[16], "A_spot0-C");
    EXPECT_EQ(data.obs.as_text("spot", "")[16], "A_spot0");
}

TEST(Export, with_a_run_only_its_features_and_its_results) {
    Example example;
    FeatureSet features;
    features.modalities.push_back({"sm", example.a.find("sm")->var.select({1, 3}), {}});
    features.modalities.push_back({"st", example.b.find("st")->var.select({0, 1, 5}), {}});
    const TrainingRun run = TrainingRun::create(example.atlas, "main", {{}, "", features});
    EXPECT_EQ(export_joint(example.atlas, &run, ExportLayers::None).obsm.count("X_smeta"), 0U);
    for (const std::string& sample : run.samples()) {
        io::AnnData result;
        result.obs = run.open_joint(sample).obs();
        result.obs.set("cluster", std::vector<std::string>(result.obs.index.size(), sample));
        result.obsm["X_smeta"] = core::MatrixD::Constant(result.obs.rows(), 2, 0.25);
        result.float_obsm = {"X_smeta"};
        run.write_result(sample, result);
        io::AnnData decoded;
        decoded.obs.index = result.obs.index;
        for (const auto& modality : features.modalities)
            for (const auto& name : modality.names()) decoded.var.index.push_back(name);
        decoded.x = core::MatrixF::Constant(result.obs.rows(), 5, sample == "A" ? 1.F : 2.F).eval();
        run.write_reconstruction(sample, decoded);
    }
    const io::AnnData data = export_joint(example.atlas, &run, ExportLayers::Reconstruction);
    EXPECT_EQ(data.var.index,
              (std::vector<std::string>{"mz_101", "mz_103", "gene10", "gene11", "gene15"}));
    EXPECT_EQ(data.obs.as_text("cluster", "")[15], "B");
    EXPECT_EQ(data.obsm.at("X_smeta")(15, 1), 0.25);
    EXPECT_EQ(data.float_obsm, (std::vector<std::string>{"X_smeta"}));
    EXPECT_EQ(io::to_dense(data.layers.at("reconstruction"))(15, 4), 2.F);
    EXPECT_THROW(export_joint(example.atlas, nullptr, ExportLayers::Reconstruction),
                 core::ConfigError);
}

TEST(Export, mudata_has_each_sample_only_where_it_was_measured) {
    const Example example;
    const io::MuData data = export_mudata(example.atlas, nullptr, ExportLayers::None);
    EXPECT_EQ(data.obs.rows(), 16);
    EXPECT_EQ(data.find("sm")->obs.rows(), 10);
    EXPECT_EQ(data.find("st")->obs.rows(), 16);
}

TEST(Export, needs_something_to_export) {
    const test::TemporaryFolder folder;
    const ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    EXPECT_THROW(export_joint(atlas, nullptr, ExportLayers::None), core::ConfigError);
}

}  // namespace
}  // namespace smeta::atlas
