#include "smeta/atlas/feature_match.hpp"

#include <gtest/gtest.h>

namespace smeta::atlas {
namespace {

io::Frame genes(std::vector<std::string> names, std::vector<std::string> ids) {
    io::Frame frame;
    frame.index = std::move(names);
    if (!ids.empty()) frame.set("gene_id", std::move(ids));
    return frame;
}

io::Frame masses(std::vector<std::string> names, std::vector<double> mz,
                 std::vector<std::string> polarity = {}) {
    io::Frame frame;
    frame.index = std::move(names);
    frame.set("mz", std::move(mz));
    if (!polarity.empty()) frame.set("polarity", std::move(polarity));
    return frame;
}

using Features = std::vector<std::int32_t>;

TEST(FeatureMatch, takes_names_then_gene_ids) {
    const auto run = genes({"ACTB", "SEPTIN2", "TP53"}, {"ENSG01.3", "ENSG02", "ENSG03"});
    const auto match = match_features(
        run, genes({"TP53", "SEPT2", "new", "ACTB"}, {"", "ENSG02.7", "ENSG09", "ENSG01"}), 5);
    EXPECT_EQ(match.feature, (Features{2, 1, -1, 0}));
    EXPECT_EQ(match.by_name, 2);
    EXPECT_EQ(match.by_id, 1);
    EXPECT_EQ(match.matched(), 3);
    EXPECT_EQ(match_features(run, genes({"TP53", "SEPT2"}, {}), 5).feature, (Features{2, -1}));
}

TEST(FeatureMatch, keeps_species_apart) {
    const auto run = genes({"C4A"}, {"ENSG0000244731"});
    EXPECT_EQ(match_features(run, genes({"C4A"}, {"ENSMUSG0000015451"}), 5).matched(), 0);
    EXPECT_EQ(match_features(run, genes({"C4A"}, {"ENSG9"}), 5).by_name, 1);
    EXPECT_EQ(match_features(run, genes({"c4a"}, {}), 5).matched(), 0);
}

TEST(FeatureMatch, pairs_the_closest_masses_of_one_polarity) {
    const auto run = masses({"mz_100.0000_pos", "mz_200.0000_pos"}, {100.0, 200.0}, {"pos", "pos"});
    // 4 and 2 ppm from 100; 6 ppm from 200; the right mass of the other polarity.
    const auto match =
        match_features(run,
                       masses({"a", "b", "c", "d"}, {100.0004, 99.9998, 200.0012, 200.0},
                              {"pos", "pos", "pos", "neg"}),
                       5);
    EXPECT_EQ(match.feature, (Features{-1, 0, -1, -1}));
    EXPECT_EQ(match.by_mass, 1);
    EXPECT_EQ(match_features(run, masses({"c"}, {200.0012}), 7).feature, (Features{1}));
}

TEST(FeatureMatch, does_not_depend_on_the_order_of_columns) {
    const auto run = masses({"x", "y"}, {100.0, 100.0003});
    const auto one = match_features(run, masses({"p", "q"}, {100.0001, 100.0002}), 5);
    const auto other = match_features(run, masses({"q", "p"}, {100.0002, 100.0001}), 5);
    EXPECT_EQ(one.feature, (Features{0, 1}));
    EXPECT_EQ(other.feature, (Features{1, 0}));
}

}  // namespace
}  // namespace smeta::atlas
