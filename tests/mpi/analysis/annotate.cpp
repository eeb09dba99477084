#include "smeta/analysis/annotate.hpp"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"
#include "support/synthetic_run.hpp"

namespace smeta::analysis {
namespace {

std::string database(const std::filesystem::path& folder) {
    const auto path = (folder / "molecules.tsv").string();
    std::ofstream file(path);
    file << "Accession\tName\tChemical_Formula\tclass\n"
            "X1\tglucose\tC6H12O6\tsugars\n"
            "X2\tfructose\tO6C6H12\tsugars\n"
            "X3\tresidue\tC6H11R\t\n"
            "\tPC(34:1)\tC42H82NO8P\tlipids\n";
    return path;
}

std::vector<MassFeature> features() {
    return {{"sodium", 203.052608, 1},  // glucose M+Na
            {"proton", 181.07066, 1},
            {"far", 181.0716, 1},
            {"negative", 181.07066, -1},
            {"lipid", 798.5410, 1}};  // PC(34:1) M+K
}

TEST(Metabolites, IsomersAreOneFormulaAndOddRowsAreCounted) {
    const test::TemporaryFolder folder;
    const auto table = read_metabolites(database(folder.path()));
    ASSERT_EQ(table.isomers.size(), 2U);
    EXPECT_EQ(table.isomers[1].text, "C6H12O6");
    EXPECT_EQ(table.isomers[1].metabolites, (std::vector<std::int32_t>{0, 1}));
    EXPECT_EQ(table.metabolites[2].id, "PC(34:1)");
    EXPECT_EQ(table.metabolites[0].main_class, "sugars");
    EXPECT_EQ(table.unread, 1);
    std::ofstream(folder.path() / "no.tsv") << "name\tmass\nglucose\t180.06\n";
    EXPECT_THROW(read_metabolites((folder.path() / "no.tsv").string()), core::FormatError);
}

TEST(Annotate, EveryIonWithinPpmOnAnyRanks) {
    const auto world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    world.root_or_throw([&] { database(folder.path()); });
    const auto table = read_metabolites((folder.path() / "molecules.tsv").string());
    const AnnotateOptions options{5, usual_adducts(1), 20, 1};
    const auto expected = annotate(comm::Comm::self(), features(), table, options);
    ASSERT_EQ(expected.candidates.size(), 3U);
    EXPECT_EQ(expected.candidates[0].feature, 0);
    EXPECT_EQ(options.adducts[expected.candidates[0].adduct].name, "M+Na");
    EXPECT_EQ(expected.candidates[1].feature, 1);
    EXPECT_LT(std::abs(expected.candidates[1].ppm_error), 0.1);
    EXPECT_EQ(expected.candidates[2].feature, 4);
    EXPECT_EQ(expected.all.features, 3);
    const auto text = annotations_tsv(expected, features(), table, options);
    EXPECT_NE(text.find("X1; X2\tglucose; fructose"), std::string::npos);
    test::on_each_communicator([&](const comm::Comm& comm) {
        const auto found = annotate(comm, features(), table, options);
        EXPECT_EQ(annotations_tsv(found, features(), table, options), text);
        EXPECT_EQ(adducts_tsv(found, options), adducts_tsv(expected, options));
        EXPECT_EQ(found.decoy_errors, expected.decoy_errors);
    });
}

// A wide reach meets decoys by chance: their share is what false candidates there would be.
TEST(Annotate, FalseDiscoveryRateGrowsWithTheError) {
    const test::TemporaryFolder folder;
    const auto table = read_metabolites(database(folder.path()));
    std::vector<MassFeature> grid;
    for (int i = 0; i < 32000; ++i) grid.push_back({std::to_string(i), 150.0 + 0.03 * i, 1});
    grid.push_back({"proton", 181.07066, 1});
    const AnnotateOptions options{100, usual_adducts(1), 20, 1};
    const auto found = annotate(comm::Comm::self(), grid, table, options);
    EXPECT_GT(found.all.decoys, 1.0);
    EXPECT_NEAR(found.all.fdr, 1.0, 0.4);
    double last = 0;
    for (const auto& candidate : found.candidates)
        if (candidate.feature == 32000) last = candidate.fdr;
    for (const auto& candidate : found.candidates) {
        EXPECT_LE(candidate.fdr, 1.0);
        EXPECT_GE(candidate.fdr, candidate.adduct == 0 ? last : 0.0);
    }
}

TEST(Annotate, IsotopePeakIsComparedOverTheSpots) {
    const auto world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    test::make_atlas(world, folder / "atlas", {{"a", 60}, {"b", 40, {}, {}, 3}});
    world.root_or_throw([&] {
        atlas::Run::create(atlas::ShardedAtlas::open(folder / "atlas"), "main",
                           {{}, "", test::all_features()});
        database(folder.path());
    });
    const auto table = read_metabolites((folder / "molecules.tsv").string());
    const auto run = atlas::Run::open(atlas::ShardedAtlas::open(folder / "atlas"), "main");
    const std::vector<MassFeature> masses{{"mz_000", 181.07066, 1}, {"mz_010", 182.07402, 1}};
    const AnnotateOptions options{5, {parse_adduct("M+H")}, 5, 1};
    std::string expected;
    test::on_each_communicator([&](const comm::Comm& comm) {
        auto found = annotate(comm, masses, table, options);
        const RunValues values(comm, run, run.samples(), FeatureScope::Measured);
        check_isotopes(comm, values, masses, table, options, found);
        ASSERT_EQ(found.candidates.size(), 1U);
        const auto& check = found.candidates[0].isotope;
        EXPECT_EQ(check.feature, 1);
        EXPECT_NEAR(check.expected, 0.0682, 5e-4);
        EXPECT_GT(check.observed, 0.5);  // no isotope: the intensities were drawn independently
        EXPECT_FALSE(check.is_supported());
        const auto text = annotations_tsv(found, masses, table, options);
        if (expected.empty()) expected = text;
        EXPECT_EQ(text, expected);
    });
}

}  // namespace
}  // namespace smeta::analysis
