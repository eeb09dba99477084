#include "smeta/report/gather.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/report/report.hpp"

#include "support/support.hpp"

namespace smeta::report {
namespace {

constexpr std::int64_t kSpots = 12;

io::AnnData modality(const std::vector<std::string>& features, float scale) {
    io::AnnData data;
    core::MatrixF values(kSpots, static_cast<Eigen::Index>(features.size()));
    for (Eigen::Index r = 0; r < values.rows(); ++r)
        for (Eigen::Index c = 0; c < values.cols(); ++c)
            values(r, c) = scale * static_cast<float>(1 + (r + c) % 3);
    data.x = values;
    core::MatrixD position(kSpots, 2);
    for (std::int64_t r = 0; r < kSpots; ++r) {
        data.obs.index.push_back("spot" + std::to_string(r));
        position.row(r) << 100.0 * static_cast<double>(r % 4), 100.0 * static_cast<double>(r / 4);
    }
    data.obsm["spatial"] = position;
    data.var.index = features;
    return data;
}

io::UnsDict visium_uns() {
    io::NdArray<std::uint8_t> image{{4, 5, 3}, std::vector<std::uint8_t>(60, 128)};
    io::UnsDict images;
    images["lowres"] = {image};
    io::UnsDict factors;
    factors["tissue_lowres_scalef"] = {0.01};
    io::UnsDict library;
    library["images"] = {images};
    library["scalefactors"] = {factors};
    io::UnsDict spatial;
    spatial["s1"] = {library};
    io::UnsDict smeta;
    smeta["unit"] = {std::string("pixel")};
    smeta["microns_per_unit"] = {0.5};
    return {{"spatial", {spatial}}, {"smeta", {smeta}}};
}

const std::vector<std::string> kGenes{"GA", "GB", "GC"};
const std::vector<std::string> kMetabolites{"mz_1", "mz_2"};

atlas::ModalityFeatures selected(const std::string& name, const std::vector<std::string>& names) {
    atlas::ModalityFeatures features;
    features.name = name;
    features.var.index = names;
    return features;
}

void write_text(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path) << text;
}

/// An atlas with one sample and a run with every file that the report reads.
atlas::Run make_run(atlas::ShardedAtlas& atlas) {
    io::MuData joint;
    joint.modalities.emplace_back("sm", modality(kMetabolites, 10));
    joint.modalities.emplace_back("st", modality(kGenes, 1));
    joint.modalities[1].second.uns = visium_uns();
    joint.obs.index = joint.modalities[0].second.obs.index;
    atlas.commit_joint("s1", "cohort", "0123456789abcdef", joint);

    io::MuData selection;
    for (const auto& [name, data] : joint.modalities) {
        io::AnnData table;
        table.var.index = data.var.index;
        std::vector<double> moran;
        for (std::size_t f = 0; f < data.var.index.size(); ++f)
            moran.push_back(static_cast<double>(f));
        table.var.set("moran_s1", moran);
        selection.modalities.emplace_back(name, std::move(table));
    }
    atlas.commit_atlas_stage(atlas::kSelect, "fedcba9876543210",
                             [&](const auto& path) { io::write_h5mu(path.string(), selection); });

    atlas::Run::Setup setup;
    setup.config_toml = "seed = 1\n";
    setup.features.modalities = {selected("sm", {"mz_2"}), selected("st", {"GA", "GB", "GC"})};
    const auto run = atlas::Run::create(atlas, "main", setup);

    auto result = modality(kGenes, 1);
    result.x.reset();
    result.var = {};
    std::vector<std::int32_t> codes;
    for (std::int64_t r = 0; r < kSpots; ++r) codes.push_back(static_cast<std::int32_t>(r % 2));
    result.obs.set("cluster", io::Categorical{codes, {"0", "1"}});
    result.obs.set("contribution_st", std::vector<float>(kSpots, 0.6F));
    result.obs.set("contribution_sm", std::vector<float>(kSpots, 0.4F));
    run.write_result("s1", result);

    auto reconstruction = modality({"mz_2", "GA", "GB", "GC"}, 2);
    run.write_reconstruction("s1", reconstruction);
    write_text(run.metrics_file(),
               "{\"epoch\": 1, \"loss\": {\"total\": 9.5, \"st\": 4}, \"seconds\": 2}\n"
               "{\"epoch\": 2, \"loss\": {\"total\": 7.5, \"st\": 3}, \"seconds\": 3}\n");
    write_text(run.history_file(),
               "{\"command\": \"train\", \"command_line\": \"smeta train\", \"ranks\": 2, "
               "\"timings\": {\"train/step\": {\"min\": 1, \"average\": 2, \"max\": 3}}, "
               "\"warning\": \"KL of 0\"}\n");
    return run;
}

TEST(Gather, ReadsEverythingOfARun) {
    const test::TemporaryFolder folder;
    auto atlas = atlas::ShardedAtlas::create(folder / "atlas");
    const auto run = make_run(atlas);
    const auto data = gather(atlas, run, {.features = 2, .sm_target = 1000});

    ASSERT_EQ(data.samples.size(), 1U);
    EXPECT_EQ(data.samples[0].spots, kSpots);
    EXPECT_EQ(data.samples[0].cohort, "cohort");
    EXPECT_EQ(data.samples[0].checksums.at(0).size(), 32U);
    ASSERT_EQ(data.samples[0].modalities.size(), 2U);
    EXPECT_EQ(data.samples[0].modalities[0].name, "sm");
    EXPECT_EQ(data.samples[0].modalities[0].features, 2);
    EXPECT_EQ(data.samples[0].modalities[0].selected, 1);
    EXPECT_FALSE(data.samples[0].modalities[0].read) << "ingested as joint file";

    const auto& map = data.maps.at(0);
    EXPECT_EQ(map.spots(), kSpots);
    EXPECT_EQ(map.unit, "pixel");
    EXPECT_EQ(map.microns_per_unit, 0.5);
    ASSERT_TRUE(map.histology.has_value());
    EXPECT_EQ(map.histology->image.width, 5);
    EXPECT_EQ(map.histology->pixels_per_unit, 0.01);
    EXPECT_EQ(data.clusters(), 2);
    EXPECT_FLOAT_EQ(static_cast<float>(map.contribution.at("st")[3]), 0.6F);

    ASSERT_EQ(map.features.size(), 3U) << "one metabolite, the best two of three genes";
    EXPECT_EQ(map.features[0].name, "mz_2");
    EXPECT_FLOAT_EQ(map.features[0].measured[0], 1000) << "the only selected metabolite of the row";
    EXPECT_EQ(map.features[1].name, "GC") << "highest Moran's I first";
    EXPECT_EQ(map.features[2].name, "GB");
    EXPECT_EQ(map.features[1].measured[0], 3);
    EXPECT_EQ(map.features[1].reconstructed[0], 2 * (1 + 3 % 3));

    EXPECT_EQ(data.metrics.size(), 2U);
    EXPECT_EQ(data.metrics[1].loss.at("total"), 7.5);
    ASSERT_EQ(data.commands.size(), 1U);
    EXPECT_EQ(data.commands[0].ranks, 2);
    EXPECT_EQ(data.timings.at(0).max, 3);
    EXPECT_EQ(data.notes, std::vector<std::string>{"Training: KL of 0."});
    write_report(data, run.folder());
    EXPECT_TRUE(std::filesystem::exists(run.report_html()));
    EXPECT_TRUE(std::filesystem::exists(run.figures() / "reconstruction_s1.svg"));
}

TEST(Gather, SaysWhichSamplesHaveNoResult) {
    const test::TemporaryFolder folder;
    auto atlas = atlas::ShardedAtlas::create(folder / "atlas");
    const auto run = make_run(atlas);
    std::filesystem::remove(run.result_file("s1"));
    const auto data = gather(atlas, run, {});
    EXPECT_EQ(data.maps.at(0).spots(), 0);
    ASSERT_FALSE(data.notes.empty());
    EXPECT_NE(data.notes.back().find("s1"), std::string::npos);
    write_report(data, run.folder());
}

TEST(Jsonl, NamesTheLineThatIsDamaged) {
    try {
        parse_metrics("{\"epoch\": 1, \"loss\": {}}\n{\"epo", "m.jsonl");
        FAIL();
    } catch (const core::FormatError& error) {
        EXPECT_EQ(error.problem().object, "line 2");
    }
    EXPECT_TRUE(parse_history("", "h").commands.empty());
}

TEST(Jsonl, OnlyTheLastTrainingWarns) {
    const std::string bad = "{\"command\": \"train\", \"warning\": \"KL\"}\n";
    EXPECT_EQ(parse_history(bad + "{\"command\": \"embed\"}\n", "h").warning, "KL");
    EXPECT_EQ(parse_history(bad + "{\"command\": \"train\"}\n", "h").warning, "");
}

}  // namespace
}  // namespace smeta::report
