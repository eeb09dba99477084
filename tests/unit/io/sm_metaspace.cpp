#include "smeta/io/sm_metaspace.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/source.hpp"
#include "smeta/io/source_info.hpp"

#include "support/support.hpp"

namespace smeta::io {
namespace {

constexpr const char* kComments =
    "# Generated at 2024-05-01 12:00:00. Hot-spot removal has been applied and the intensity "
    "values might differ from the api results.\n"
    "# URL: https://metaspace2020.eu/annotations?ds=2024-05-01_10h00m00s&sort=mz,adduct\n";
constexpr const char* kHeader =
    "\"mol_formula\",\"adduct\",\"mz\",\"moleculeNames\",\"moleculeIds\",\"x0_y0\",\"x0_y1\","
    "\"x1_y0\",\"x1_y1\"\n";
/// A quoted list of names in quotes of its own, as METASPACE writes it.
constexpr const char* kRows =
    "\"C6H13O6\",\"+H\",\"181.0707\",\"\"\"Glucose,Fructose\"\"\",\"\"\"HMDB1,HMDB2\"\"\",\"1.5\","
    "\"0\",\"0\",\"2\"\n"
    "\"C6H11O6\",\"-H\",\"179.0561\",\"\"\"Glucose\"\"\",\"\"\"HMDB1\"\"\",\"0\",\"0\",\"3\","
    "\"4\"\n"
    "\"C6H12O6Cl\",\"+Cl\",\"215.0328\",\"\"\"Glucose\"\"\",\"\"\"HMDB1\"\"\",\"0\",\"0\",\"0\","
    "\"5\"\n";

std::string written(const test::TemporaryFolder& folder, const std::string& text) {
    const std::string path = (folder / "S_pixel_intensities.csv").string();
    std::ofstream(path) << text;
    return path;
}

TEST(Metaspace, pixels_and_annotations_of_an_export) {
    const test::TemporaryFolder folder;
    const std::string path = written(folder, std::string(kComments) + kHeader + kRows);
    ASSERT_TRUE(is_metaspace_csv(path));
    const AnnData data = read_sm_source({path}, {});
    EXPECT_EQ(data.obs.index, (std::vector<std::string>{"px_0_0", "px_1_0", "px_1_1"}));
    EXPECT_EQ(dropped(data, "zero_total"), 1);
    EXPECT_EQ(data.var.index, (std::vector<std::string>{"C6H13O6+H", "C6H11O6-H", "C6H12O6Cl+Cl"}));
    EXPECT_EQ(data.var.as_number("mz", ""), (std::vector<double>{181.0707, 179.0561, 215.0328}));
    EXPECT_EQ(data.var.as_text("polarity", ""), (std::vector<std::string>{"pos", "neg", "neg"}));
    EXPECT_EQ(data.var.as_text("adduct", ""), (std::vector<std::string>{"+H", "-H", "+Cl"}));
    EXPECT_EQ(data.var.as_text("molecule_names", "").front(), "Glucose,Fructose");
    EXPECT_EQ(to_csr(*data.x).indices, (std::vector<std::int32_t>{0, 1, 0, 1, 2}));
    EXPECT_EQ(to_csr(*data.x).values, (std::vector<float>{1.5F, 3, 2, 4, 5}));
    EXPECT_EQ(data.obsm.at("spatial"), (core::MatrixD(3, 2) << 0, 0, 1, 0, 1, 1).finished());
    EXPECT_EQ(unit(data), kUnitRaster);
}

TEST(Metaspace, other_tables_are_not_taken_for_it) {
    const test::TemporaryFolder folder;
    EXPECT_FALSE(is_metaspace_csv(written(folder, "x,y,181.0707\n0,0,1\n")));
    EXPECT_FALSE(is_metaspace_csv(written(folder, "")));
    EXPECT_FALSE(is_metaspace_csv(written(folder, kComments)));
}

TEST(Metaspace, damage_is_named) {
    const test::TemporaryFolder folder;
    const auto message = [&](const std::string& text) -> std::string {
        try {
            read_metaspace_csv(written(folder, text));
        } catch (const core::FormatError& error) {
            return error.what();
        }
        return "read";
    };
    const std::string start = "mol_formula,adduct,mz,moleculeNames,moleculeIds,x0_y0,x0_y1\n";
    const auto has = [](const std::string& text, const char* part) {
        return text.find(part) != std::string::npos;
    };
    EXPECT_TRUE(has(message(start + "A,+H,100,a,b,1\n"), "line 2"));
    EXPECT_TRUE(has(message(start + "A,+H,100,a,b,1,z\n"), "x0_y1"));
    EXPECT_TRUE(has(message(start + "A,+H,-1,a,b,1,2\n"), "m/z above 0"));
    EXPECT_TRUE(has(message(start), "a header alone"));
    EXPECT_TRUE(has(message("mol_formula,adduct,mz,msm\nA,+H,100,0.5\n"), "not the annotations"));
    EXPECT_TRUE(has(message("mol_formula,adduct,mz,x0_y0,fdr\nA,+H,100,1,0\n"), "'fdr'"));
    EXPECT_TRUE(has(message("mol_formula,adduct,mz,x0_y0,x0_y0\nA,+H,100,1,0\n"), "x0_y0"));
    EXPECT_TRUE(has(message(start + "A,+H,100,a,b,,2\n"), "nan"));
}

}  // namespace
}  // namespace smeta::io
