#include "smeta/io/anndata.hpp"

#include <cmath>
#include <fstream>
#include <limits>

#include <gtest/gtest.h>

#include "support/support.hpp"

namespace smeta::io {
namespace {

/// Four spots by three genes: every kind of column, CSR X, dense layer, obsm, obsp, uns.
AnnData sample() {
    AnnData data;
    data.obs.index = {"s1", "s2", "s3", "µ4"};
    data.obs.set("sample", Categorical{{0, 1, -1, 0}, {"A", "B"}, true});
    data.obs.set("score", std::vector<double>{0.5, -1, 2, std::numeric_limits<double>::infinity()});
    data.obs.set("area", std::vector<float>{1, 2, 3, 4});
    data.obs.set("count", std::vector<std::int64_t>{1, 2, 3, std::int64_t{1} << 40});
    data.obs.set("row", std::vector<std::int32_t>{-1, 0, 1, 2});
    data.obs.set("in_tissue", std::vector<std::uint8_t>{1, 0, 1, 1});
    data.obs.set("note", std::vector<std::string>{"", "b", "c", "d"});
    data.var.index = {"g1", "g2", "g3"};
    core::CountsCsr x;
    x.cols = 3;
    x.append_row(std::vector<std::int32_t>{0, 2}, std::vector<float>{1, 2});
    x.append_row({}, {});
    x.append_row(std::vector<std::int32_t>{1}, std::vector<float>{3});
    x.append_row(std::vector<std::int32_t>{0, 1, 2}, std::vector<float>{4, 5, 6});
    data.x = x;
    data.layers["dense"] = core::to_dense(x.view());
    data.obsm["spatial"] = core::MatrixD::Random(4, 2);
    data.obsm["X_umap"] = core::MatrixD::Constant(4, 2, 0.25);
    data.float_obsm = {"X_umap"};
    core::CountsCsr pairs;
    pairs.cols = 4;
    for (int r = 0; r < 4; ++r)
        pairs.append_row(std::vector<std::int32_t>{(r + 1) % 4}, std::vector<float>{1});
    data.obsp["distances"] = pairs;
    data.uns["title"] = UnsValue{std::string("a section")};
    data.uns["scale"] = UnsValue{0.25};
    data.uns["n"] = UnsValue{std::int64_t{7}};
    data.uns["flag"] = UnsValue{true};
    data.uns["colors"] = UnsValue{std::vector<std::string>{"#fff", "#000"}};
    UnsDict inner;
    inner["image"] = UnsValue{NdArray<std::uint8_t>{{2, 2, 3}, std::vector<std::uint8_t>(12, 9)}};
    inner["affine"] = UnsValue{NdArray<double>{{2}, {1.5, -2}}};
    data.uns["spatial"] = UnsValue{inner};
    return data;
}

void expect_equal(const AnnData& read, const AnnData& written) {
    EXPECT_EQ(read.obs, written.obs);
    EXPECT_EQ(read.var, written.var);
    EXPECT_EQ(read.x, written.x);
    EXPECT_EQ(read.layers, written.layers);
    EXPECT_EQ(read.obsm, written.obsm);
    EXPECT_EQ(read.float_obsm, written.float_obsm);
    EXPECT_EQ(read.obsp, written.obsp);
    EXPECT_EQ(read.uns, written.uns);
}

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(AnnDataFile, RoundTripKeepsEverything) {
    const test::TemporaryFolder folder;
    const AnnData data = sample();
    write_h5ad(folder / "a.h5ad", data);
    expect_equal(read_h5ad(folder / "a.h5ad"), data);
}

TEST(AnnDataFile, EqualContentGivesEqualBytes) {
    const test::TemporaryFolder folder;
    write_h5ad(folder / "a.h5ad", sample());
    write_h5ad(folder / "b.h5ad", read_h5ad(folder / "a.h5ad"));
    EXPECT_EQ(bytes_of(folder / "a.h5ad"), bytes_of(folder / "b.h5ad"));
}

TEST(AnnDataFile, EmptyTablesAndMissingX) {
    const test::TemporaryFolder folder;
    AnnData data;
    data.obs.index = {"a", "b"};
    write_h5ad(folder / "no_x.h5ad", data);
    EXPECT_FALSE(H5File::open(folder / "no_x.h5ad").root().has("X"));
    expect_equal(read_h5ad(folder / "no_x.h5ad"), data);
    AnnData none;
    none.x = core::CountsCsr{};
    write_h5ad(folder / "none.h5ad", none);
    expect_equal(read_h5ad(folder / "none.h5ad"), none);
    const AnnDataReader reader(folder / "no_x.h5ad");
    EXPECT_FALSE(reader.has_x());
    EXPECT_EQ(reader.rows(), 2);
    EXPECT_EQ(reader.cols(), 0);
}

TEST(AnnDataFile, LayoutFollowsTheRecipe) {
    const test::TemporaryFolder folder;
    AnnData data;
    for (int r = 0; r < 600; ++r) data.obs.index.push_back("s" + std::to_string(r));
    for (int c = 0; c < 5000; ++c) data.var.index.push_back("g" + std::to_string(c));
    data.x = core::MatrixF(core::MatrixF::Ones(600, 5000));
    data.layers["csr"] = core::from_dense(std::get<core::MatrixF>(*data.x));
    write_h5ad(folder / "l.h5ad", data);
    const H5Group root = H5File::open(folder / "l.h5ad").root();
    EXPECT_EQ(root.text_attribute("encoding-type"), "anndata");
    EXPECT_EQ(root.text_attribute("encoding-version"), "0.1.0");
    // 256 rows of 5,000 floats exceed 4 MiB: 209 rows fit.
    EXPECT_EQ(root.dataset("X").chunk(), (std::vector<std::int64_t>{209, 5000}));
    const H5Group csr = root.group("layers/csr");
    EXPECT_EQ(csr.dataset("data").chunk(), (std::vector<std::int64_t>{262144}));
    EXPECT_EQ(csr.dataset("indptr").chunk(), (std::vector<std::int64_t>{601}));
    EXPECT_EQ(csr.dataset("data").type(), H5Type::Float32);
    EXPECT_EQ(csr.dataset("indices").type(), H5Type::Int32);
    EXPECT_EQ(csr.dataset("indptr").type(), H5Type::Int32);  // SciPy wants one type for both
    EXPECT_EQ(csr.integers_attribute("shape"), (std::vector<std::int64_t>{600, 5000}));
}

TEST(AnnDataReaderTest, ReadsPieces) {
    const test::TemporaryFolder folder;
    AnnData data = sample();
    const auto csr = std::get<core::CountsCsr>(*data.x);
    write_h5ad(folder / "csr.h5ad", data);
    data.x = core::to_dense(csr.view());
    write_h5ad(folder / "dense.h5ad", data);
    for (const char* name : {"csr.h5ad", "dense.h5ad"}) {
        const AnnDataReader reader(folder / name);
        EXPECT_EQ(reader.rows(), 4);
        EXPECT_EQ(reader.cols(), 3);
        EXPECT_EQ(reader.obs(), data.obs);
        EXPECT_EQ(reader.var(), data.var);
        EXPECT_EQ(reader.uns(), data.uns);
        EXPECT_EQ(reader.obsm("spatial"), data.obsm["spatial"]);
        EXPECT_FALSE(reader.has_obsm("X_pca"));
        for (std::int64_t first = 0; first <= 4; ++first)
            for (std::int64_t last = first; last <= 4; ++last) {
                std::vector<std::int64_t> rows;
                for (std::int64_t r = first; r < last; ++r) rows.push_back(r);
                EXPECT_EQ(reader.x_rows(first, last), core::select_rows(csr, rows)) << name;
            }
    }
}

TEST(MuDataFile, RoundTripWithUnequalModalities) {
    const test::TemporaryFolder folder;
    MuData data;
    AnnData st = sample();
    AnnData sm = sample();
    sm.obs.index = {"s3", "px_1_1", "px_1_2", "s1"};
    sm.var.index = {"mz_1", "mz_2", "mz_3"};
    data.modalities = {{"st", st}, {"sm", sm}};
    data.uns["note"] = UnsValue{std::string("two")};
    write_h5mu(folder / "m.h5mu", data);
    EXPECT_EQ(bytes_of(folder / "m.h5mu").substr(0, 28), "MuData (format-version=0.1.0");
    EXPECT_EQ(modality_names(folder / "m.h5mu"), (std::vector<std::string>{"st", "sm"}));
    const MuData read = read_h5mu(folder / "m.h5mu");
    ASSERT_EQ(read.modalities.size(), 2U);
    expect_equal(read.modalities[0].second, st);
    expect_equal(read.modalities[1].second, sm);
    EXPECT_EQ(read.uns, data.uns);
    EXPECT_EQ(read.obs.index,
              (std::vector<std::string>{"s1", "s2", "s3", "µ4", "px_1_1", "px_1_2"}));
    const H5Group root = H5File::open(folder / "m.h5mu").root();
    EXPECT_EQ(root.dataset("obsmap/sm").read<std::uint32_t>(),
              (std::vector<std::uint32_t>{4, 0, 1, 0, 2, 3}));
    EXPECT_EQ(root.dataset("obsm/sm").read<std::uint8_t>(),
              (std::vector<std::uint8_t>{1, 0, 1, 0, 1, 1}));
    const AnnDataReader reader(folder / "m.h5mu", "sm");
    EXPECT_EQ(reader.obs(), sm.obs);
    EXPECT_EQ(reader.x_rows(0, 4), std::get<core::CountsCsr>(*sm.x));
    EXPECT_THROW(AnnDataReader(folder / "m.h5mu", "protein"), core::FormatError);
    EXPECT_THROW(read_h5ad(folder / "m.h5mu"), core::FormatError);
}

}  // namespace
}  // namespace smeta::io
