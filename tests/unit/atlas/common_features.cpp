#include "smeta/atlas/common_features.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

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

Names common(const std::vector<io::Frame>& vars, const MassTolerance& mass = {}) {
    std::vector<const io::Frame*> frames;
    for (const auto& var : vars) frames.push_back(&var);
    return common_features(frames, mass);
}

TEST(CommonFeatures, masses_whose_intervals_touch_have_the_name_that_most_samples_have) {
    EXPECT_EQ(common({masses({{"a", 400.000}}), masses({{"b", 400.002}}), masses({{"b", 400.002}}),
                      masses({{"c", 400.0065}})}),
              (Names{{"a", "b"}}));
    EXPECT_EQ(common({masses({{"b", 400.000}}), masses({{"a", 400.002}})}), (Names{{"b", "a"}}));
    EXPECT_EQ(common({masses({{"a", 400.000}}), masses({{"b", 400.002}})}, {.ppm = 1}), Names{});
}

TEST(CommonFeatures, a_sample_tells_its_own_features_apart) {
    EXPECT_EQ(common({masses({{"a", 400.000}, {"b", 400.001}})}), Names{});
    // The third is near both; the first of them takes it.
    EXPECT_EQ(common({masses({{"a", 400.000}, {"b", 400.001}}), masses({{"c", 400.002}})}),
              (Names{{"c", "a"}}));
    // One bin of the consensus, but a sample has two of it: no further than the tolerance.
    EXPECT_EQ(common({masses({{"a", 400.000}, {"z", 400.006}}), masses({{"b", 400.003}}),
                      masses({{"c", 400.0065}})}),
              (Names{{"b", "a"}, {"z", "c"}}));
}

TEST(CommonFeatures, a_consensus_bin_is_the_union_of_all_samples_intervals) {
    const std::vector<io::Frame> chain = {masses({{"a", 400.000}}), masses({{"b", 400.003}}),
                                          masses({{"c", 400.006}})};
    EXPECT_EQ(common(chain), (Names{{"b", "a"}, {"c", "a"}}));
    EXPECT_EQ(common({chain[0], chain[2]}), Names{});
    // A bin of a sample's own peaks is as wide as they were.
    io::Frame wide = masses({{"b", 400.003}});
    wide.set("half_width", std::vector<double>{0.0005});
    EXPECT_EQ(common({chain[0], wide, chain[2]}), Names{});
    wide.set("half_width", std::vector<double>{0.0011});
    EXPECT_EQ(common({chain[0], wide, chain[2]}), (Names{{"b", "a"}, {"c", "a"}}));
}

TEST(CommonFeatures, wide_unions_are_cut_where_no_sample_has_a_say) {
    constexpr double kWidest = 20;
    const double step = std::log1p(kWidest * 1e-6);
    const double cut = 50 * std::exp(std::ceil(std::log(400.0 / 50) / step) * step);
    std::vector<io::Frame> chain;
    for (int i = -5; i < 5; ++i)
        chain.push_back(masses({{"m" + std::to_string(i + 5), cut + (i + 0.5) * 0.003}}));
    const Names names = common(chain, {.ppm = 5, .max_bin_ppm = kWidest});
    for (int low = 0; low < 5; ++low)
        for (int high = 5; high < 10; ++high) {
            const auto name = [&](int i) {
                const std::string own = "m" + std::to_string(i);
                return names.contains(own) ? names.at(own) : own;
            };
            EXPECT_NE(name(low), name(high));
        }
    EXPECT_EQ(names.at("m4"), names.at("m3"));
    EXPECT_EQ(names.at("m6"), "m5");
    EXPECT_EQ(common(chain).size(), 9U);
    EXPECT_THROW(common(chain, {.ppm = 5, .max_bin_ppm = 9}), core::ConfigError);
}

TEST(CommonFeatures, polarity_formula_and_adduct_must_agree) {
    EXPECT_EQ(common({masses({{"a", 400}}), masses({{"b", 400}}, "neg")}), Names{});
    io::Frame proton = masses({{"a", 400}});
    proton.set("adduct", std::vector<std::string>{"+H"});
    io::Frame sodium = masses({{"b", 400}});
    sodium.set("adduct", std::vector<std::string>{"+Na"});
    EXPECT_EQ(common({proton, sodium}), Names{});
    // Adducts are written in several ways, and one may know the adduct alone.
    for (const char* text : {"+Na", "M+Na", "[M+Na]+", "[M+Na]1+"}) {
        io::Frame other = masses({{"c", 400}});
        other.set("adduct", std::vector<std::string>{text});
        other.set("formula", std::vector<std::string>{"C6H12O6"});
        EXPECT_EQ(common({sodium, other}), (Names{{"c", "b"}})) << text;
        EXPECT_EQ(common({proton, other}), Names{}) << text;
    }
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
    const auto features_in = [](const std::vector<std::string>& columns, const auto& of) {
        io::Frame var;
        var.index = columns;
        return atlas::features_in(var, of);
    };
    EXPECT_EQ(features_in({"b", "c", "a"}, features), (std::vector<std::int32_t>{1, -1, 0}));
    features.var.set(std::string(kOtherNames), std::vector<std::string>{"", "c\nd e"});
    EXPECT_EQ(features_in({"d e", "c", "a", "d"}, features),
              (std::vector<std::int32_t>{1, 1, 0, -1}));
}

io::Frame symbols(const std::vector<std::string>& names, const std::string& species) {
    io::Frame var;
    var.index = names;
    if (!species.empty())
        var.set(std::string(kSpecies), std::vector<std::string>(names.size(), species));
    return var;
}

TEST(CommonFeatures, symbols_of_two_species_that_coincide_are_two_genes) {
    io::Frame human = symbols({"ACTB", "C3"}, "human");
    io::Frame mouse = symbols({"Actb", "C3"}, "mouse");
    io::Frame unknown = symbols({"C3", "Xist"}, "");
    separate_species({&human, &mouse, &unknown});
    EXPECT_EQ(human.index, (std::vector<std::string>{"ACTB", "C3_human"}));
    EXPECT_EQ(mouse.index, (std::vector<std::string>{"Actb", "C3_mouse"}));
    EXPECT_EQ(unknown.index, (std::vector<std::string>{"C3", "Xist"}));
    io::Frame other = symbols({"C3"}, "human");
    separate_species({&other});
    EXPECT_EQ(other.index, std::vector<std::string>{"C3"});

    ModalityFeatures features{"st", symbols({"ACTB", "C3_human", "C3_mouse"}, ""), {}};
    features.var.set(std::string(kSpecies), std::vector<std::string>{"human", "human", "mouse"});
    features.var.set(std::string(kOtherNames), std::vector<std::string>{"", "C3", "C3"});
    using Positions = std::vector<std::int32_t>;
    EXPECT_EQ(features_in(symbols({"C3", "ACTB"}, "human"), features), (Positions{1, 0}));
    EXPECT_EQ(features_in(symbols({"C3", "ACTB"}, "mouse"), features), (Positions{2, -1}));
    EXPECT_EQ(features_in(symbols({"C3", "ACTB"}, "rat"), features), (Positions{-1, -1}));
    EXPECT_EQ(features_in(symbols({"C3", "ACTB"}, ""), features), (Positions{1, 0}));
    // Before the one that is called so comes the one of the species.
    features.var = symbols({"C3", "C3_mouse"}, "");
    features.var.set(std::string(kSpecies), std::vector<std::string>{"", "mouse"});
    features.var.set(std::string(kOtherNames), std::vector<std::string>{"", "C3"});
    EXPECT_EQ(features_in(symbols({"C3"}, "mouse"), features), Positions{1});
    EXPECT_EQ(features_in(symbols({"C3"}, "human"), features), Positions{0});
}

}  // namespace
}  // namespace smeta::atlas
