#include "smeta/io/source.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/imzml_writer.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/tenx.hpp"
#include "smeta/io/visium.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

std::string shared(const std::string& name) {
    return (test::shared_dir() / "data" / name).string();
}

std::string write_text(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
}

core::MatrixF dense(const AnnData& data) {
    return core::to_dense(to_csr(*data.x));
}

AnnData counts() {
    AnnData data;
    data.obs.index = {"AAA-1", "CCC-1"};
    data.var.index = {"TP53", "ACTB"};
    data.x = core::from_dense((core::MatrixF(2, 2) << 1, 0, 0, 2).finished());
    return data;
}

void write_section(const std::string& folder) {
    const AnnData data = counts();
    VisiumSection section;
    section.data = &data;
    section.positions = {{"AAA-1", true, 0, 0, 10, 20}, {"CCC-1", true, 1, 1, 30, 40}};
    section.scale = {0.1, 0.05, 55, 90};
    section.lowres = section.hires = {1, 1, 3, {1, 2, 3}};
    write_visium(folder, section);
}

template <class Error>
std::string message_of(const std::function<void()>& body) {
    try {
        body();
    } catch (const Error& error) {
        return error.what();
    }
    return "no such error";
}

void expect_contains(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST(StSource, EveryKindIsRecognised) {
    const test::TemporaryFolder folder;
    const core::MatrixF expected = dense(counts());
    const core::MatrixD spatial = (core::MatrixD(2, 2) << 20, 10, 40, 30).finished();
    write_section(folder / "outs");
    SourceOptions options;
    options.sample = "S1";
    const AnnData visium = read_st_source(folder / "outs", options);
    EXPECT_EQ(dense(visium), expected);
    EXPECT_EQ(visium.obsm.at("spatial"), spatial);
    EXPECT_TRUE(std::get<UnsDict>(visium.uns.at("spatial").value).contains("S1"));
    const AnnData bare =
        read_st_source((folder / "outs").string() + "/filtered_feature_bc_matrix.h5", options);
    EXPECT_EQ(bare.obsm.at("spatial"), spatial);
    const std::filesystem::path mtx = folder / "alone";
    write_text(mtx / "barcodes.tsv", "AAA-1\nCCC-1\n");
    write_text(mtx / "genes.tsv", "a\tTP53\nb\tACTB\n");
    write_text(mtx / "matrix.mtx",
               "%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 1\n2 2 2\n");
    EXPECT_EQ(dense(read_st_source(mtx.string(), options)), expected);
    const std::string table = write_text(folder / "t.tsv", "\tTP53\tACTB\n1x1\t1\t0\n2x1\t0\t2\n");
    EXPECT_EQ(dense(read_st_source(table, options)), expected);
    write_h5ad(folder / "a.h5ad", counts());
    EXPECT_EQ(dense(read_st_source(folder / "a.h5ad", options)), expected);
    std::filesystem::copy(folder / "a.h5ad", folder / "misnamed.h5");
    EXPECT_EQ(dense(read_st_source(folder / "misnamed.h5", options)), expected);
    MuData both;
    AnnData other = counts();
    other.var.index = {"mz_1", "mz_2"};
    other.x = core::from_dense((core::MatrixF(2, 2) << 5, 6, 7, 8).finished());
    both.modalities = {{"sm", other}, {"st", counts()}};
    write_h5mu(folder / "a.h5mu", both);
    EXPECT_EQ(dense(read_st_source(folder / "a.h5mu", options)), expected);
    EXPECT_EQ(dense(read_sm_source({folder / "a.h5mu"}, options)), dense(other));
}

TEST(SmSource, EveryKindIsRecognised) {
    const test::TemporaryFolder folder;
    const auto image = [&](const char* name, Polarity polarity) {
        const std::string path = folder / name;
        ImzmlWriter writer(path, {ImzmlMode::Processed, polarity, Compression::None, 50, 1});
        writer.add(1, 1, std::vector<double>{100}, std::vector<float>{3});
        writer.finish();
        return path;
    };
    const std::string pos = image("pos.imzML", Polarity::Positive);
    const std::string neg = image("neg.IMZML", Polarity::Negative);
    EXPECT_EQ(read_sm_source({pos}, {}).var.rows(), 1);
    EXPECT_EQ(read_sm_source({neg, pos}, {}).var.index,
              (std::vector<std::string>{"mz_100.0000_pos", "mz_100.0000_neg"}));
    const std::string table = write_text(folder / "t.csv", "x,y,100.5\n1,1,3\n");
    EXPECT_EQ(read_sm_source({table}, {}).var.index, (std::vector<std::string>{"mz_100.5000"}));
    SourceOptions columns;
    columns.sm_columns = "^b";
    const std::string spots = write_text(folder / "s.csv", "spot,a,b\nq,1,2\n");
    EXPECT_EQ(read_sm_source({spots}, columns).var.index, (std::vector<std::string>{"b"}));
    AnnData protein = counts();
    protein.var.index = {"CD3", "mz-426.928"};
    protein.x = core::from_dense((core::MatrixF(2, 2) << 0.5, 0, 0, 0).finished());
    write_h5ad(folder / "a.h5ad", protein);
    const AnnData read = read_sm_source({folder / "a.h5ad"}, {});
    EXPECT_EQ(read.obs.rows(), 2);
    EXPECT_EQ(read.var.as_number("mz", "").at(1), 426.928);
    protein.uns["metaspace"].value = UnsDict();
    write_h5ad(folder / "m.h5ad", protein);
    EXPECT_EQ(read_sm_source({folder / "m.h5ad"}, {}).obs.rows(), 1);
    EXPECT_THROW(read_sm_source({pos, table}, {}), core::ConfigError);
    EXPECT_THROW(read_sm_source({}, {}), core::ConfigError);
}

TEST(Source, JointFilesGiveTheirPart) {
    const test::TemporaryFolder folder;
    AnnData joint = counts();
    joint.var.set("type", std::vector<std::string>{"ST", "SM"});
    joint.obsm["spatial"] = core::MatrixD::Ones(2, 2);
    write_h5ad(folder / "j.h5ad", joint);
    EXPECT_EQ(read_st_source(folder / "j.h5ad", {}).var.index, (std::vector<std::string>{"TP53"}));
    EXPECT_EQ(read_sm_source({folder / "j.h5ad"}, {}).var.index,
              (std::vector<std::string>{"ACTB"}));
    joint.var.set("type", std::vector<std::string>{"ST", "ST"});
    write_h5ad(folder / "st.h5ad", joint);
    EXPECT_THROW(read_sm_source({folder / "st.h5ad"}, {}), core::FormatError);
}

TEST(Source, WhatFitsNothingIsRefusedWithWhatIsAccepted) {
    const test::TemporaryFolder folder;
    const auto st = [](const std::string& path) {
        return message_of<core::FormatError>([&] { read_st_source(path, {}); });
    };
    const auto sm = [](const std::string& path) {
        return message_of<core::FormatError>([&] { read_sm_source({path}, {}); });
    };
    const std::string text = write_text(folder / "a.docx", "x");
    expect_contains(st(text), "Space Ranger");
    expect_contains(sm(text), ".imzML");
    write_text(folder / "sub/readme.md", "x");
    expect_contains(st(folder / "sub"), "a folder with readme.md");
    expect_contains(sm(folder / "sub"), "a folder with readme.md");
    expect_contains(st(write_text(folder / "b.h5", "not HDF5")), "no HDF5 signature");
    expect_contains(st(write_text(folder / "c.imzML", "<mzML/>")), "Space Ranger");
    write_section(folder / "outs");
    expect_contains(sm(folder / "outs"), ".imzML");
    EXPECT_NE(st(write_text(folder / "d.tsv", "")), "no such error");
}

TEST(Source, AMisspeltPathNamesTheNearest) {
    const test::TemporaryFolder folder;
    write_text(folder / "counts/section_A1.tsv", "x");
    const auto message = [](const std::string& path) {
        return message_of<core::IoError>([&] { read_st_source(path, {}); });
    };
    expect_contains(message(folder / "counts/sectoin_A1.tsv"),
                    "did you mean " + (folder / "counts/section_A1.tsv").string());
    expect_contains(message(folder / "cuonts/section_A1.tsv"),
                    "did you mean " + (folder / "counts").string());
    expect_contains(message(folder / "zzzzzzzzzzz"), "no such file");
}

TEST(Source, KeysAreRegistered) {
    core::ConfigTable table;
    SourceOptions options;
    add_source_keys(table, options);
    table.set_from_text("ingest.nan=drop", "--set");
    table.set_from_text("ingest.fractional_counts=round", "--set");
    table.set_from_text("ingest.imzml_uuid=ignore", "--set");
    table.set_from_text("ingest.mz_ppm=3", "--set");
    EXPECT_EQ(options.values.nan, NanPolicy::Drop);
    EXPECT_EQ(options.values.fractional_counts, FractionalCounts::Round);
    EXPECT_EQ(options.values.imzml_uuid, UuidPolicy::Ignore);
    EXPECT_EQ(options.mz_ppm, 3.0);
    EXPECT_THROW(table.set_from_text("ingest.nan=maybe", "--set"), core::ConfigError);
}

TEST(Source, RealSources) {
    if (!test::have_shared()) GTEST_SKIP() << test::kNoShared;
    const AnnData b4 = read_st_source(shared("her2st/counts/B4.tsv.gz"), {});
    EXPECT_EQ(b4.obs.rows(), 283);
    const AnnData lymph = read_sm_source({shared("lymph_node_protein/section1.h5ad")}, {});
    EXPECT_EQ(lymph.obs.rows(), 3484);
    EXPECT_EQ(lymph.var.rows(), 31);
    const AnnData genes = read_st_source(shared("semisynthetic/breast_paired.h5ad"), {});
    const AnnData metabolites = read_sm_source({shared("semisynthetic/breast_paired.h5ad")}, {});
    EXPECT_EQ(genes.obs.rows(), 2401);
    EXPECT_EQ(genes.var.rows(), 11'516);
    EXPECT_EQ(metabolites.obs.index, genes.obs.index);
    EXPECT_EQ(metabolites.var.rows(), 79);
    EXPECT_NE(metabolites.var.find("mz"), nullptr);
    SourceOptions keep;
    keep.values.fractional_counts = FractionalCounts::Keep;
    const AnnData visium = read_st_source(shared("anndata/visium_mouse_brain_49spots.h5ad"), keep);
    EXPECT_EQ(visium.obs.rows(), 49);
    EXPECT_EQ(unit(visium), kUnitPixel);
    EXPECT_NEAR(*microns_per_unit(visium), 55 / 89.44476048022638, 1e-12);
    const AnnData imzml = read_sm_source({shared("imzml/Example_Processed.imzML")}, {});
    EXPECT_EQ(imzml.obs.rows(), 9);
}

}  // namespace
}  // namespace smeta::io
