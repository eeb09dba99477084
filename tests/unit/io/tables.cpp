#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/labels.hpp"
#include "smeta/io/sm_table.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/st_table.hpp"

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
    return core::to_dense(std::get<core::CountsCsr>(*data.x));
}

double total(const AnnData& data) {
    const auto& x = std::get<core::CountsCsr>(*data.x);
    return std::accumulate(x.values.begin(), x.values.end(), 0.0);
}

TEST(SmTable, PixelsWithPositions) {
    const test::TemporaryFolder folder;
    const std::string path = write_text(
        folder / "a.csv", "x,y,426.928864,431.5\n1,1,0,2.5\n2,1,0,0\n1,2,3,4\n1,1,9,9\n");
    const AnnData data = read_sm_table(path, {{}, "pos", {}});
    EXPECT_EQ(data.obs.index, (std::vector<std::string>{"px_1_1", "px_1_2"}));
    EXPECT_EQ(data.var.index, (std::vector<std::string>{"mz_426.9289_pos", "mz_431.5000_pos"}));
    EXPECT_EQ(data.var.as_number("mz", path), (std::vector<double>{426.928864, 431.5}));
    EXPECT_EQ(dense(data), (core::MatrixF(2, 2) << 0, 2.5, 3, 4).finished());
    EXPECT_EQ(data.obsm.at("spatial"), (core::MatrixD(2, 2) << 1, 1, 1, 2).finished());
    EXPECT_EQ(dropped(data, "zero_total"), 1);
    EXPECT_EQ(dropped(data, "duplicate_position"), 1);
    EXPECT_EQ(unit(data), kUnitRaster);
}

TEST(SmTable, RowsJoinedBySpotName) {
    const test::TemporaryFolder folder;
    const std::string path = write_text(
        folder / "a.csv", "spot,pixel_x,pixel_y,H_mean,E_mean\n9x13,1,2,0.5,-1\n8x1,3,4,0,0\n");
    const AnnData data = read_sm_table(path);
    EXPECT_EQ(data.obs.index, (std::vector<std::string>{"9x13", "8x1"}));
    EXPECT_EQ(data.var.index, (std::vector<std::string>{"H_mean", "E_mean"}));
    EXPECT_EQ(data.var.find("mz"), nullptr);
    EXPECT_FALSE(data.obsm.contains("spatial"));
    EXPECT_EQ(dense(data), (core::MatrixF(2, 2) << 0.5, -1, 0, 0).finished());
    EXPECT_EQ(read_sm_table(path, {"^H_", {}, {}}).var.index, (std::vector<std::string>{"H_mean"}));
    EXPECT_THROW(read_sm_table(path, {"nothing", {}, {}}), core::FormatError);
    EXPECT_THROW(read_sm_table(path, {"(", {}, {}}), core::ConfigError);
}

TEST(SmTable, NameTooLongToBeSearched) {
    const test::TemporaryFolder folder;
    const std::string path =
        write_text(folder / "a.csv", "x,y," + std::string(1'000'000, 'a') + "\n1,2,3\n");
    EXPECT_THROW(read_sm_table(path, {"(a|b)*c", {}, {}}), core::FormatError);
}

TEST(SmTable, RefusesWhatIsNoTable) {
    const test::TemporaryFolder folder;
    const auto refused = [&](const std::string& text) {
        const std::string path = write_text(folder / "a.csv", text);
        EXPECT_THROW(read_sm_table(path), core::FormatError) << text;
    };
    refused("");
    refused("a,b,c\n1,2,3\n");
    refused("x,y\n1,2\n");
    refused("x,y,100\n1,2\n");
    refused("x,y,100\n1,2,abc\n");
    refused("x,y,100\n1,2,nan\n");
    refused("spot,100\na,1\na,2\n");
}

TEST(SmTable, RealImage) {
    if (!test::have_shared()) GTEST_SKIP() << test::kNoShared;
    const AnnData data = read_sm_table(shared("bladder_msi/intensities.csv.gz"));
    EXPECT_EQ(data.obs.rows(), 34'840 - 108);
    EXPECT_EQ(dropped(data, "zero_total"), 108);
    EXPECT_EQ(data.var.rows(), 79);
    EXPECT_EQ(data.var.index[0], "mz_426.9289");
    EXPECT_EQ(std::get<core::CountsCsr>(*data.x).nnz(), 683'100);
    EXPECT_NEAR(total(data), 689'392'685.89, 20);
    EXPECT_EQ(data.obs.index.back(), "px_260_134");
    const AnnData histology = read_sm_table(shared("her2st_histology/B4_he_features.csv"));
    EXPECT_EQ(histology.obs.rows(), 284);
    EXPECT_EQ(histology.var.rows(), 15);
}

TEST(StTable, ArrayPositionsAndGenes) {
    const test::TemporaryFolder folder;
    const std::string path = write_text(folder / "S.tsv", "\tTP53\tACTB\n3x5\t1\t0\n4x5\t0\t12\n");
    const AnnData data = read_st_table(path);
    EXPECT_EQ(data.obs.index, (std::vector<std::string>{"3x5", "4x5"}));
    EXPECT_EQ(data.var.index, (std::vector<std::string>{"TP53", "ACTB"}));
    EXPECT_EQ(dense(data), (core::MatrixF(2, 2) << 1, 0, 0, 12).finished());
    EXPECT_EQ(data.obsm.at("spatial"), (core::MatrixD(2, 2) << 3, 5, 4, 5).finished());
    EXPECT_EQ(unit(data), kUnitArray);
    EXPECT_EQ(data.obs.as_number("array_col", path), (std::vector<double>{3, 4}));
    // R writes no name for the column of row names.
    const std::string r = write_text(folder / "R.csv", "TP53,ACTB\n3x5,1,0\n4x5,0,12\n");
    EXPECT_EQ(dense(read_st_table(r)), dense(data));
    const std::string xy = write_text(folder / "X.csv", "spot,x,y,TP53\na,1.5,2,3\nb,2.5,2,0\n");
    const AnnData columns = read_st_table(xy);
    EXPECT_EQ(columns.var.index, (std::vector<std::string>{"TP53"}));
    EXPECT_EQ(columns.obsm.at("spatial"), (core::MatrixD(2, 2) << 1.5, 2, 2.5, 2).finished());
    const std::string none = write_text(folder / "N.csv", "spot,TP53\na,3\nb,0\n");
    EXPECT_FALSE(read_st_table(none).obsm.contains("spatial"));
}

TEST(StTable, PixelPositionsBesideIt) {
    const test::TemporaryFolder folder;
    const std::string path =
        write_text(folder / "counts" / "S.tsv", "\tTP53\n1x1\t1\n2x1\t2\n3x1\t3\n4x1\t4\n");
    write_text(
        folder / "spots" / "S_selection.tsv",
        "x\ty\tpixel_x\tpixel_y\tselected\n4\t1\t40\t10\t1\n3\t1\t30\t10\t0\n1\t1\t10.5\t10\t1\n");
    const AnnData data = read_st_table(path);
    EXPECT_EQ(data.obs.index, (std::vector<std::string>{"1x1", "4x1"}));
    EXPECT_EQ(data.obsm.at("spatial"), (core::MatrixD(2, 2) << 10.5, 10, 40, 10).finished());
    EXPECT_EQ(unit(data), kUnitPixel);
    EXPECT_EQ(dropped(data, "outside_tissue"), 1);
    EXPECT_EQ(dropped(data, "no_position"), 1);
    StTableOptions all;
    all.use_positions = false;
    EXPECT_EQ(read_st_table(path, all).obs.rows(), 4);
}

TEST(StTable, RefusesWrongValuesAndRepeatedSpots) {
    const test::TemporaryFolder folder;
    const auto refused = [&](const std::string& text) {
        const std::string path = write_text(folder / "S.tsv", text);
        EXPECT_THROW(read_st_table(path), core::FormatError) << text;
    };
    refused("");
    refused("\tA\tB\n");
    refused("\tA\tB\n1x1\t1\n");
    refused("\tA\tB\n1x1\t1\t2\n1x1\t1\t2\n");
    refused("\tA\tB\n1x1\t1\t-2\n");
    refused("\tA\tB\n1x1\t1\t0.5\n");
    refused("\tA\tB\n1x1\t1\tNA\n");
    refused("\tA\tB\n1x1\t1\tx\n");
}

TEST(StTable, RealSections) {
    if (!test::have_shared()) GTEST_SKIP() << test::kNoShared;
    const AnnData b4 = read_st_table(shared("her2st/counts/B4.tsv.gz"));
    EXPECT_EQ(b4.obs.rows(), 283);
    EXPECT_EQ(b4.var.rows(), 15'289);
    EXPECT_EQ(std::get<core::CountsCsr>(*b4.x).nnz(), 400'805);
    EXPECT_EQ(total(b4), 935'146.0);
    EXPECT_EQ(b4.var.index.back(), "UTY");
    const auto spot =
        std::find(b4.obs.index.begin(), b4.obs.index.end(), "9x13") - b4.obs.index.begin();
    EXPECT_EQ(b4.obsm.at("spatial").row(spot), (Eigen::RowVector2d(2307.86, 3500.48)));

    const std::string hippo = shared("mouse_brain_st/Hippo1.tsv.gz");
    const AnnData mouse = read_st_table(hippo);
    EXPECT_EQ(mouse.obs.rows(), 1098);
    EXPECT_EQ(dropped(mouse, "no_position"), 235);
    EXPECT_EQ(dropped(mouse, "outside_tissue"), 1933 - 235 - 1098);
    EXPECT_EQ(mouse.var.rows(), 10'000);
    EXPECT_EQ(mouse.var.index[0], "ENSMUSG00000064339");
    EXPECT_EQ(mouse.obs.index[0], "10x20");
    EXPECT_EQ(mouse.obsm.at("spatial").row(0), (Eigen::RowVector2d(2301.4, 2644.9)));
    const auto& x = std::get<core::CountsCsr>(*mouse.x);
    const auto first = x.view().row_values(0);
    EXPECT_EQ(std::accumulate(first.begin(), first.end(), 0.0), 4124.0);
}

TEST(Labels, JoinedByNameOrRoundedPosition) {
    const test::TemporaryFolder folder;
    Frame obs;
    obs.index = {"3x5", "4x5", "5x5"};
    obs.set("array_col", std::vector<std::int32_t>{3, 4, 5});
    obs.set("array_row", std::vector<std::int32_t>{5, 5, 5});
    std::int64_t matched = 0;
    const std::vector<std::string> expected{"tumour", kUndetermined, "fat"};
    EXPECT_EQ(
        read_labels(write_text(folder / "a.tsv", "spot\tregion\n5x5\tfat\n3x5\ttumour\n9x9\tx\n"),
                    obs, matched),
        expected);
    EXPECT_EQ(matched, 2);
    EXPECT_EQ(read_labels(write_text(folder / "b.tsv",
                                     "x\ty\tpixel_x\tother\tlabel\n3.02\t4.99\t1\tq\t"
                                     "tumour\n4.9\t5\t1\tq\tfat\nNA\tNA\t1\tq\tfat\n"),
                          obs, matched),
              expected);
    EXPECT_THROW(read_labels(write_text(folder / "c.tsv", "spot\ta\tb\n5x5\t1\t2\n"), obs, matched),
                 core::FormatError);
    EXPECT_THROW(read_labels(write_text(folder / "d.tsv", "a\tlabel\n5x5\t1\n"), obs, matched),
                 core::FormatError);
    EXPECT_THROW(
        read_labels(write_text(folder / "e.tsv", "spot\tlabel\n5x5\ta\n5x5\tb\n"), obs, matched),
        core::FormatError);
}

TEST(Labels, RealPathologistLabelsMatchEverySpot) {
    if (!test::have_shared()) GTEST_SKIP() << test::kNoShared;
    for (const char* patient : {"A", "B", "C", "D", "E", "F"}) {
        const AnnData data =
            read_st_table(shared(std::string("her2st/counts/") + patient + "1.tsv.gz"));
        std::int64_t matched = 0;
        read_labels(shared(std::string("her2st/labels/") + patient + "1_labeled_coordinates.tsv"),
                    data.obs, matched);
        EXPECT_EQ(matched, data.obs.rows()) << patient;
    }
}

}  // namespace
}  // namespace smeta::io
