#include "smeta/atlas/common_features.hpp"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace smeta::atlas {
namespace {

using Names = std::map<std::string, std::string>;

io::Frame masses(const std::vector<std::pair<std::string, double>>& features,
                 const std::string& polarity = "pos") {
    io::Frame var;
    std::vector<double> mz;
    for (const auto& [name, value] : features) {
        var.index.push_back(name);
        mz.push_back(value);
    }
    var.set("polarity", std::vector<std::string>(mz.size(), polarity));
    var.set("mz", std::move(mz));
    return var;
}

io::Frame genes(const std::vector<std::pair<std::string, std::string>>& features) {
    io::Frame var;
    std::vector<std::string> ids;
    for (const auto& [name, id] : features) {
        var.index.push_back(name);
        ids.push_back(id);
    }
    var.set("gene_id", std::move(ids));
    return var;
}

Names common(const std::vector<io::Frame>& vars, double ppm = 5) {
    std::vector<const io::Frame*> frames;
    for (const auto& var : vars) frames.push_back(&var);
    return common_features(frames, ppm);
}

TEST(CommonFeatures, masses_whose_intervals_touch_have_the_name_that_most_samples_have) {
    EXPECT_EQ(common({masses({{"a", 400.000}}), masses({{"b", 400.002}}), masses({{"b", 400.002}}),
                      masses({{"c", 400.006}})}),
              (Names{{"a", "b"}}));
    EXPECT_EQ(common({masses({{"b", 400.000}}), masses({{"a", 400.002}})}), (Names{{"b", "a"}}));
    EXPECT_EQ(common({masses({{"a", 400.000}}), masses({{"b", 400.002}})}, 1), Names{});
}

TEST(CommonFeatures, a_sample_tells_its_own_features_apart) {
    EXPECT_EQ(common({masses({{"a", 400.000}, {"b", 400.001}})}), Names{});
    // The third is near both; the first of them takes it.
    EXPECT_EQ(common({masses({{"a", 400.000}, {"b", 400.001}}), masses({{"c", 400.002}})}),
              (Names{{"c", "a"}}));
    // A chain goes no further than the tolerance.
    EXPECT_EQ(
        common({masses({{"a", 400.000}}), masses({{"b", 400.003}}), masses({{"c", 400.006}})}),
        (Names{{"b", "a"}}));
}

TEST(CommonFeatures, polarity_formula_and_adduct_must_agree) {
    EXPECT_EQ(common({masses({{"a", 400}}), masses({{"b", 400}}, "neg")}), Names{});
    io::Frame proton = masses({{"a", 400}});
    proton.set("adduct", std::vector<std::string>{"+H"});
    io::Frame sodium = masses({{"b", 400}});
    sodium.set("adduct", std::vector<std::string>{"+Na"});
    EXPECT_EQ(common({proton, sodium}), Names{});
    EXPECT_EQ(common({proton, masses({{"b", 400}})}), (Names{{"b", "a"}}));
}

TEST(CommonFeatures, a_gene_is_its_stable_id) {
    EXPECT_EQ(common({genes({{"SEPT2", "ENSG1.3"}, {"X", "ENSG2"}}),
                      genes({{"SEPTIN2", "ENSG1.4"}, {"X", "ENSG2"}}),
                      genes({{"SEPTIN2", "ENSG1"}, {"Y", ""}})}),
              (Names{{"SEPT2", "SEPTIN2"}}));
    // Of two symbols of one id in one sample neither is lost.
    EXPECT_EQ(common({genes({{"A", "ENSG1"}, {"B", "ENSG1"}}), genes({{"C", "ENSG1"}})}),
              (Names{{"C", "A"}}));
}

TEST(CommonFeatures, no_sample_ever_has_two_columns_of_a_feature) {
    std::mt19937 random(3);
    for (int trial = 0; trial < 200; ++trial) {
        std::vector<io::Frame> vars;
        for (int sample = 0; sample < 4; ++sample) {
            std::map<std::string, double> features;
            for (int f = 0; f < 12; ++f) {
                const int place = static_cast<int>(random() % 40);
                features["m" + std::to_string(place)] = 300 + 0.0007 * place;
            }
            vars.push_back(masses({features.begin(), features.end()}));
        }
        const Names names = common(vars);
        for (const auto& [other, name] : names) EXPECT_FALSE(names.contains(name)) << other;
        for (const auto& var : vars) {
            std::set<std::string> seen;
            for (const auto& name : var.index)
                EXPECT_TRUE(seen.insert(names.contains(name) ? names.at(name) : name).second);
        }
    }
}

TEST(CommonFeatures, columns_are_found_by_every_name) {
    ModalityFeatures features{"sm", masses({{"a", 1}, {"b", 2}}), {}};
    EXPECT_EQ(features_in({"b", "c", "a"}, features), (std::vector<std::int32_t>{1, -1, 0}));
    features.var.set(std::string(kOtherNames), std::vector<std::string>{"", "c\nd e"});
    EXPECT_EQ(features_in({"d e", "c", "a", "d"}, features),
              (std::vector<std::int32_t>{1, 1, 0, -1}));
}

}  // namespace
}  // namespace smeta::atlas
