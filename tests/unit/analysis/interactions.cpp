#include "smeta/analysis/interactions.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"

namespace smeta::analysis {
namespace {

class Interactions : public ::testing::Test {
  protected:
    std::string file(const std::string& text) {
        const auto path = (folder_ / "table").string();
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }
    /// sm: m1, m2, m3; st: A, B, C; the second sample lacks C.
    static ValueFeatures features() {
        ValueFeatures result;
        result.modalities = {"sm", "st"};
        result.modality = {0, 0, 0, 1, 1, 1};
        result.names = {"m1", "m2", "m3", "A", "B", "C"};
        result.is_measured.setOnes(2, 6);
        result.is_measured(1, 5) = 0;
        return result;
    }
    test::TemporaryFolder folder_;
};

TEST_F(Interactions, ReadsPairsUnderTheirUsualNames) {
    const auto pairs = read_ligand_receptor(
        file("Source,TARGET,classification\nA, B & C,growth\nA,B & C,again\nB,A,\n,A,\n"));
    ASSERT_EQ(pairs.size(), 2);
    EXPECT_EQ(pairs[0].sender, "A");
    EXPECT_EQ(pairs[0].receiver, "B & C");
    EXPECT_EQ(pairs[0].type, "growth");
    EXPECT_EQ(pairs[1].receiver, "A");
    EXPECT_THROW(read_ligand_receptor(file("ligand\tgene\nA\tB\n")), core::FormatError);
    EXPECT_THROW(read_ligand_receptor(file("ligand\treceptor\n\tB\n")), core::FormatError);
    EXPECT_THROW(read_ligand_receptor(file("")), core::FormatError);
}

TEST_F(Interactions, ReadsMetabolitesWithMassesAndIdentifiers) {
    const auto pairs = read_metabolite_sensor(
        file("HMDB_ID\tstandard_metName\tGene_name\tAnnotation\tmz\tformula\n"
             "HMDB1\tGlucose\tA\tTransporter\t\tC6H12O6\nHMDB2\tLactate\tB\t\t89.02\t\n"));
    ASSERT_EQ(pairs.size(), 2);
    EXPECT_EQ(pairs[0].kind, InteractionKind::MetaboliteSensor);
    EXPECT_EQ(pairs[0].keys, (std::vector<std::string>{"HMDB1", "Glucose", "C6H12O6"}));
    EXPECT_EQ(pairs[0].mz, 0);
    EXPECT_EQ(pairs[1].mz, 89.02);
    EXPECT_EQ(pairs[0].type, "Transporter");
    EXPECT_THROW(read_metabolite_sensor(file("metabolite\tsensor\tmz\nx\tA\theavy\n")),
                 core::FormatError);
}

TEST_F(Interactions, OnlyThoseWhoseSubunitsEverySampleMeasured) {
    NamedInteraction pair;
    pair.sender = "A";
    pair.receiver = "B&A";
    auto with_c = pair;
    with_c.receiver = "B&C";
    const auto found = measured_interactions({pair, with_c}, features(), {});
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0].sender_parts, (std::vector<std::int32_t>{3}));
    EXPECT_EQ(found[0].receiver_parts, (std::vector<std::int32_t>{4, 3}));
}

TEST_F(Interactions, AMetaboliteIsEveryMassThatItMayBe) {
    MetaboliteKeys keys;
    keys.masses = {{"m1", 100.0, 1}, {"m2", 100.0004, 1}, {"m3", 100.01, 1}};
    keys.features = read_annotation_keys(
        file("feature\tformula\tids\tnames\tfdr\nm3\tC2H4\tH1; H2\tone; two\t0.1\n"
             "m1\tC9\tH2\ttwo\t0.6\n"),
        0.5);
    NamedInteraction row{InteractionKind::MetaboliteSensor, "x", "A", "", {"x"}, 100.0001};
    auto found = measured_interactions({row}, features(), keys);
    ASSERT_EQ(found.size(), 2);  // m1 and m2 within 5 ppm
    EXPECT_EQ(found[0].sender, "x [m1]");
    EXPECT_EQ(found[1].sender_parts, (std::vector<std::int32_t>{1}));
    row.mz = 0;
    row.keys = {"h2"};
    found = measured_interactions({row}, features(), keys);
    ASSERT_EQ(found.size(), 1);  // m1's annotation is above the rate
    EXPECT_EQ(found[0].sender, "x [m3]");
    row.sender = "m2";
    found = measured_interactions({row}, features(), keys);
    ASSERT_EQ(found.size(), 1);
    EXPECT_EQ(found[0].sender, "m2");
    row.sender = "y";
    row.keys = {"c2h4"};
    EXPECT_EQ(measured_interactions({row}, features(), keys).size(), 1);
    row.keys = {"none"};
    EXPECT_TRUE(measured_interactions({row}, features(), keys).empty());
}

}  // namespace
}  // namespace smeta::analysis
