#include "smeta/io/visium.hpp"

#include <fstream>
#include <numeric>

#include <gtest/gtest.h>
#include <zlib.h>

#include "smeta/core/error.hpp"
#include "smeta/io/h5.hpp"
#include "smeta/io/source_info.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

std::string write_text(const std::filesystem::path& path, const std::string& text) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
}

void write_gzip(const std::filesystem::path& path, const std::string& text) {
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
}

core::MatrixF dense(const AnnData& data) {
    return core::to_dense(std::get<core::CountsCsr>(*data.x));
}

AnnData section() {
    AnnData data;
    data.obs.index = {"AAA-1", "CCC-1", "GGG-1"};
    data.var.index = {"TP53", "ACTB"};
    data.var.set("gene_id", std::vector<std::string>{"ENSG00000000001", "ENSG00000000002"});
    data.x = core::from_dense((core::MatrixF(3, 2) << 1, 0, 0, 2, 3, 40'000).finished());
    return data;
}

/// What a version 3 file of three barcodes and three features has, with parts replaceable.
struct Version3 {
    std::vector<std::string> barcodes{"AAA-1", "CCC-1", "GGG-1"};
    std::vector<std::string> ids{"ENSG00000000001.4", "ENSG00000000002.1", "CD3"};
    std::vector<std::string> types{"Gene Expression", "Gene Expression", "Antibody Capture"};
    std::vector<std::int32_t> data{1, 9, 2, 3, 4};
    std::vector<std::int64_t> indices{0, 2, 1, 1, 0};  // the last row is not sorted
    std::vector<std::int64_t> indptr{0, 2, 3, 5};
    std::vector<std::int32_t> shape{3, 3};

    std::string write(const test::TemporaryFolder& folder) const {
        const std::string path = folder / "m.h5";
        H5File file = H5File::create(path);
        {
            H5Group root = file.root();
            H5Group matrix = root.create_group("matrix");
            matrix.write_texts("barcodes", barcodes);
            matrix.write("data", data);
            matrix.write("indices", indices);
            matrix.write("indptr", indptr);
            matrix.write("shape", shape);
            H5Group features = matrix.create_group("features");
            features.write_texts("id", ids);
            features.write_texts("name", std::vector<std::string>{"TP53", "TP53", "CD3"});
            features.write_texts("feature_type", types);
        }
        file.close();
        return path;
    }
};

TEST(Tenx, Version3FiltersByFeatureTypeAndSortsRows) {
    const test::TemporaryFolder folder;
    const std::string path = Version3{}.write(folder);
    const AnnData data = read_tenx_h5(path);
    EXPECT_EQ(data.obs.index, (std::vector<std::string>{"AAA-1", "CCC-1", "GGG-1"}));
    EXPECT_EQ(data.var.index, (std::vector<std::string>{"TP53", "TP53-1"}));
    EXPECT_EQ(data.var.as_text("gene_id", path),
              (std::vector<std::string>{"ENSG00000000001", "ENSG00000000002"}));
    EXPECT_EQ(dense(data), (core::MatrixF(3, 2) << 1, 0, 0, 2, 4, 3).finished());
    TenxOptions all;
    all.feature_type.clear();
    EXPECT_EQ(dense(read_tenx_h5(path, all)),
              (core::MatrixF(3, 3) << 1, 0, 9, 0, 2, 0, 4, 3, 0).finished());
    all.feature_type = "CRISPR";
    EXPECT_THROW(read_tenx_h5(path, all), core::FormatError);
}

TEST(Tenx, BrokenMatricesAreRefused) {
    const test::TemporaryFolder folder;
    const auto refused = [&](const char* what, auto&& spoil) {
        Version3 file;
        spoil(file);
        EXPECT_THROW(read_tenx_h5(file.write(folder)), core::FormatError) << what;
    };
    refused("index too large", [](Version3& f) { f.indices[1] = 3; });
    refused("negative index", [](Version3& f) { f.indices[1] = -1; });
    refused("indptr falls", [](Version3& f) { f.indptr = {0, 3, 2, 5}; });
    refused("indptr begins above 0", [](Version3& f) { f.indptr[0] = 1; });
    refused("indptr too short", [](Version3& f) { f.indptr = {0, 2, 5}; });
    refused("indptr ends too early", [](Version3& f) { f.indptr[3] = 4; });
    refused("data too short", [](Version3& f) { f.data.pop_back(); });
    refused("shape", [](Version3& f) { f.shape = {3, 4}; });
    refused("feature twice in a row", [](Version3& f) { f.indices[4] = 1; });
    refused("barcode twice", [](Version3& f) { f.barcodes[1] = "AAA-1"; });
    refused("feature id twice", [](Version3& f) { f.ids[1] = f.ids[0]; });
    refused("negative count", [](Version3& f) { f.data[0] = -1; });
    refused("types too short", [](Version3& f) { f.types.pop_back(); });
}

TEST(Tenx, Version2HasOneGroupAGenome) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "v2.h5";
    const auto write = [&](const std::vector<std::string>& genomes) {
        H5File file = H5File::create(path);
        {
            H5Group root = file.root();
            for (const std::string& genome : genomes) {
                H5Group group = root.create_group(genome);
                group.write_texts("barcodes", std::vector<std::string>{"A", "C"});
                group.write_texts("genes", std::vector<std::string>{"ENSG00000000001"});
                group.write_texts("gene_names", std::vector<std::string>{"TP53"});
                group.write("data", std::vector<std::int32_t>{7});
                group.write("indices", std::vector<std::int64_t>{0});
                group.write("indptr", std::vector<std::int64_t>{0, 0, 1});
                group.write("shape", std::vector<std::int32_t>{1, 2});
            }
        }
        file.close();
    };
    write({"GRCh38"});
    EXPECT_EQ(dense(read_tenx_h5(path)), (core::MatrixF(2, 1) << 0, 7).finished());
    write({"GRCh38", "mm10"});
    EXPECT_THROW(read_tenx_h5(path), core::FormatError);
    write({});
    EXPECT_THROW(read_tenx_h5(path), core::FormatError);
}

TEST(Tenx, MatrixMarketFolder) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path().string();
    EXPECT_FALSE(is_tenx_mtx(path));
    write_text(folder / "barcodes.tsv", "AAA-1\nCCC-1\n");
    write_gzip(folder / "features.tsv.gz",
               "ENSG00000000001\tTP53\tGene Expression\n"
               "CD3\tCD3\tAntibody Capture\n"
               "ENSG00000000002\tACTB\tGene Expression\n");
    const std::string head = "%%MatrixMarket matrix coordinate integer general\n%x\n";
    const std::string matrix =
        write_text(folder / "matrix.mtx", head + "3 2 3\n3 1 5\n1 1 4\n3 2 6\n");
    EXPECT_TRUE(is_tenx_mtx(path));
    const AnnData data = read_tenx_mtx(path);
    EXPECT_EQ(data.var.index, (std::vector<std::string>{"TP53", "ACTB"}));
    EXPECT_EQ(dense(data), (core::MatrixF(2, 2) << 4, 5, 0, 6).finished());
    for (const char* broken :
         {"3 2 3\n3 1 5\n1 1 4\n", "3 3 1\n1 1 1\n", "3 2 1\n4 1 1\n", "3 2 1\n0 1 1\n",
          "3 2 2\n1 1 1\n1 1 1\n", "3 2 1\n1 1 x\n", "3 2 NA\n1 1 1\n", "3 2 1e300\n1 1 1\n",
          "3 2 -1\n", "3 2 1\n1.5 1 1\n", ""}) {
        write_text(matrix, head + broken);
        EXPECT_THROW(read_tenx_mtx(path), core::FormatError) << broken;
    }
    write_text(matrix, "not a matrix\n");
    EXPECT_THROW(read_tenx_mtx(path), core::FormatError);
    std::filesystem::remove(folder / "barcodes.tsv");
    EXPECT_THROW(read_tenx_mtx(path), core::IoError);
}

TEST(Visium, PositionsAreUnderstoodByContent) {
    const test::TemporaryFolder folder;
    const std::string rows = "AAA-1,1,0,2,-10.5,20\nCCC-1,0,1,3,30,40\n";
    const std::string path = write_text(folder / "tissue_positions_list.csv", rows);
    const auto plain = read_visium_positions(path);
    ASSERT_EQ(plain.size(), 2);
    EXPECT_EQ(plain[0].barcode, "AAA-1");
    EXPECT_TRUE(plain[0].in_tissue);
    EXPECT_EQ(plain[0].array_col, 2);
    EXPECT_EQ(plain[0].pixel_row, -10.5);
    EXPECT_EQ(plain[0].pixel_col, 20);
    EXPECT_FALSE(plain[1].in_tissue);
    write_text(
        path,
        "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n" + rows);
    EXPECT_EQ(read_visium_positions(path).size(), 2);
    for (const char* broken : {"AAA-1,1,0,2,3\n", "AAA-1,1,0,2,3,x\n", "AAA-1,1,0,2,3,NA\n",
                               "AAA-1,1,0,2,3,4\nAAA-1,1,0,2,3,4\n"}) {
        write_text(path, broken);
        EXPECT_THROW(read_visium_positions(path), core::FormatError) << broken;
    }
    EXPECT_THROW(read_visium_positions(folder / "tissue_positions.parquet"), core::FormatError);
}

VisiumSection written_section(const AnnData& data) {
    VisiumSection out;
    out.data = &data;
    out.positions = {{"AAA-1", true, 0, 0, 100, 200},
                     {"GGG-1", true, 1, 1, 110, 210.25},
                     {"CCC-1", false, 2, 2, 120, 220},
                     {"TTT-1", false, 3, 3, 130, 230}};
    out.scale = {0.1, 0.05, 110.0, 180.0};
    out.lowres = {2, 2, 3, std::vector<std::uint8_t>(12, 7)};
    out.hires = {4, 4, 3, std::vector<std::uint8_t>(48, 9)};
    return out;
}

TEST(Visium, WrittenFolderIsReadBack) {
    const test::TemporaryFolder folder;
    const std::string path = folder / "outs";
    const AnnData data = section();
    const VisiumSection out = written_section(data);
    write_visium(path, out);
    EXPECT_TRUE(is_visium_folder(path));
    VisiumOptions options;
    options.sample = "S1";
    const AnnData back = read_visium(path, options);
    EXPECT_EQ(back.obs.index, (std::vector<std::string>{"AAA-1", "GGG-1"}));
    EXPECT_EQ(dropped(back, "outside_tissue"), 1);
    EXPECT_EQ(dense(back), (core::MatrixF(2, 2) << 1, 0, 3, 40'000).finished());
    EXPECT_EQ(back.var, data.var);
    EXPECT_EQ(back.obsm.at("spatial"), (core::MatrixD(2, 2) << 200, 100, 210.25, 110).finished());
    EXPECT_EQ(back.obs.as_number("array_row", path), (std::vector<double>{0, 1}));
    EXPECT_EQ(unit(back), kUnitPixel);
    EXPECT_EQ(microns_per_unit(back), 0.5);  // 55 um are 110 pixels
    const auto& spatial = std::get<UnsDict>(back.uns.at("spatial").value);
    const auto& entry = std::get<UnsDict>(spatial.at("S1").value);
    const auto& images = std::get<UnsDict>(entry.at("images").value);
    EXPECT_EQ(to_image(std::get<NdArray<std::uint8_t>>(images.at("lowres").value)), out.lowres);
    EXPECT_FALSE(images.contains("hires"));
    const auto& scale = std::get<UnsDict>(entry.at("scalefactors").value);
    EXPECT_EQ(std::get<double>(scale.at("tissue_hires_scalef").value), 0.1);
    options.hires_image = true;
    const AnnData both = read_visium(path, options);
    EXPECT_NE(both.uns, back.uns);
}

TEST(Visium, PrefixedMatrixMtxFolderAndMissingParts) {
    const test::TemporaryFolder folder;
    const std::filesystem::path path = folder / "outs";
    const AnnData data = section();
    write_visium(path.string(), written_section(data));
    std::filesystem::rename(path / "filtered_feature_bc_matrix.h5",
                            path / "S1_filtered_feature_bc_matrix.h5");
    EXPECT_EQ(read_visium(path.string()).obs.rows(), 2);
    std::filesystem::remove(path / "S1_filtered_feature_bc_matrix.h5");
    EXPECT_THROW(read_visium(path.string()), core::FormatError);
    const auto mtx = path / "filtered_feature_bc_matrix";
    write_text(mtx / "barcodes.tsv", "AAA-1\nXXX-1\n");
    write_text(mtx / "features.tsv", "ENSG00000000001\tTP53\tGene Expression\n");
    write_text(mtx / "matrix.mtx",
               "%%MatrixMarket matrix coordinate integer general\n1 2 1\n1 1 5\n");
    const AnnData from_mtx = read_visium(path.string());
    EXPECT_EQ(from_mtx.obs.rows(), 1);
    EXPECT_EQ(dropped(from_mtx, "no_position"), 1);
    std::filesystem::rename(path / "spatial/tissue_positions.csv",
                            path / "spatial/tissue_positions.parquet");
    EXPECT_THROW(read_visium(path.string()), core::FormatError);
    std::filesystem::remove_all(path / "spatial");
    EXPECT_THROW(read_visium(path.string()), core::FormatError);
}

TEST(Visium, HighDefinitionBins) {
    const test::TemporaryFolder folder;
    AnnData data;
    data.obs.index = {"s_008um_00078_00444-1", "s_008um_00079_00445-1"};
    data.var.index = {"TP53"};
    data.x = core::from_dense((core::MatrixF(2, 1) << 1, 2).finished());
    VisiumSection out;
    out.data = &data;
    out.positions = {{data.obs.index[0], true, 78, 444, 1000.5, 2000.5}};
    out.scale = {0.1, 0.05, 16.0, 20.0};
    out.lowres = out.hires = {1, 1, 3, {1, 2, 3}};
    const std::filesystem::path bins = folder / "outs/binned_outputs/square_008um";
    write_visium(bins.string(), out);
    write_text(bins / "spatial/scalefactors_json.json",
               R"({"bin_size_um": 8.0, "microns_per_pixel": 0.5, "spot_diameter_fullres": 16.0})");
    const std::string outs = folder / "outs";
    const AnnData from_file = read_visium(outs);
    EXPECT_EQ(from_file.obs.rows(), 1);
    EXPECT_EQ(microns_per_unit(from_file), 0.5);
    EXPECT_EQ(read_visium(bins.string()).obs, from_file.obs);
    VisiumOptions grid;
    grid.bin_positions = BinPositions::Barcodes;
    const AnnData from_barcodes = read_visium(outs, grid);
    EXPECT_EQ(from_barcodes.obs.rows(), 2);
    EXPECT_EQ(from_barcodes.obsm.at("spatial"),
              (core::MatrixD(2, 2) << 444.5 * 8, 78.5 * 8, 445.5 * 8, 79.5 * 8).finished());
    EXPECT_EQ(unit(from_barcodes), kUnitMicron);
    std::filesystem::remove(bins / "spatial/tissue_positions.csv");
    EXPECT_EQ(read_visium(outs).obs.rows(), 2);  // no file at all: the barcodes
    write_text(bins / "spatial/tissue_positions.parquet", "PAR1");
    EXPECT_THROW(read_visium(outs), core::FormatError);
    grid.bin_um = 16;
    EXPECT_THROW(read_visium(outs, grid), core::FormatError);
}

TEST(Visium, RealPositions) {
    if (!test::have_shared()) GTEST_SKIP() << test::kNoShared;
    const auto folder = test::shared_dir() / "data";
    const auto sma = read_visium_positions(
        (folder / "sma_mouse_brain/V11L12-038_D1/visium/spatial/tissue_positions_list.csv")
            .string());
    EXPECT_EQ(sma.size(), 4992);
    const auto dlpfc =
        read_visium_positions((folder / "dlpfc/151507/tissue_positions_list.txt").string());
    EXPECT_EQ(dlpfc.size(), 4992);
    EXPECT_EQ(dlpfc[1].barcode, "TACCGATCCAACACTT-1");
    EXPECT_EQ(dlpfc[1].pixel_row, 2630);
    EXPECT_EQ(dlpfc[1].pixel_col, 2243);
    // A matrix of two real barcodes, attached to the real slide.
    AnnData data;
    data.obs.index = {"ACGCCTGACACGCGCT-1", ""};
    for (const VisiumPosition& p : sma)
        if (p.in_tissue) data.obs.index[1] = p.barcode;
    data.var.index = {"A"};
    data.x = core::from_dense(core::MatrixF::Ones(2, 1));
    attach_visium_spatial(data, (folder / "sma_mouse_brain/V11L12-038_D1/visium/spatial").string(),
                          {});
    EXPECT_EQ(data.obs.rows(), 1);
    EXPECT_NEAR(*microns_per_unit(data), 55 / 377.68665707110796, 1e-12);
}

}  // namespace
}  // namespace smeta::io
