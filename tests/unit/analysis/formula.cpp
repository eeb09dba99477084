#include "smeta/analysis/formula.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

namespace smeta::analysis {
namespace {

Formula formula(std::string_view text) {
    const auto parsed = parse_formula(text);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(Formula{});
}

double mz(std::string_view molecule, std::string_view adduct) {
    const auto rule = parse_adduct(adduct);
    const auto ion = ion_formula(formula(molecule), rule);
    EXPECT_TRUE(ion) << adduct;
    return ion ? ion_mz(*ion, rule.charge) : 0;
}

TEST(Formula, ReadsGroupsAndWritesHillOrder) {
    EXPECT_EQ(to_string(formula("C15H18O2Br2")), "C15H18Br2O2");
    EXPECT_EQ(to_string(formula("(CH3)3N")), "C3H9N");
    EXPECT_EQ(to_string(formula("Ca(OH)2")), "CaH2O2");
    EXPECT_EQ(to_string(formula("H2O")), "H2O");
    EXPECT_EQ(formula("CO"), (Formula{{"C", 1}, {"O", 1}}));
    EXPECT_EQ(formula("Co"), (Formula{{"Co", 1}}));
}

TEST(Formula, RefusesWhatIsNone) {
    for (const char* text :
         {"", "C6H12O6+", "C6H12Xx", "R", "c6", "C0", "(CH3", "CH3)", "C6.H2O", "C-1", "()", "D2O",
          "C999999999999", "C6 H12", "(((((((((((((((((((((("})
        EXPECT_FALSE(parse_formula(text)) << text;
}

TEST(Formula, MassesAreThoseOfTheTextbook) {
    EXPECT_NEAR(monoisotopic_mass(formula("C6H12O6")), 180.06339, 1e-5);
    EXPECT_NEAR(monoisotopic_mass(formula("H2O")), 18.0105647, 1e-7);
    EXPECT_NEAR(monoisotopic_mass(formula("C42H82NO8P")), 759.57781, 1e-5);
}

// The reference adds a neutral hydrogen (181.07121) and subtracts chlorine.
TEST(Adduct, IonsAreChargedAndKeepElectronMass) {
    EXPECT_NEAR(mz("C6H12O6", "M+H"), 181.07066, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "M+Na"), 180.06339 + 22.989218, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "M+K"), 180.06339 + 38.963158, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "M-H"), 180.06339 - 1.007276, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "M+Cl"), 180.06339 + 34.969402, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "M-H2O-H"), 180.06339 - 19.01784, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "M+2H"), 180.06339 / 2 + 1.007276, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "M+H+Na"), 180.06339 / 2 + 11.998247, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "2M+Na"), 2 * 180.06339 + 22.989218, 2e-5);
    EXPECT_NEAR(mz("C6H12O6", "3M-H"), 3 * 180.06339 - 1.007276, 2e-5);
    EXPECT_NEAR(mz("C6H12O6", "M+ACN+H"), 180.06339 + 42.033823, 1e-5);
    EXPECT_NEAR(mz("C8H11NO2", "M+FMP10"), 421.1911, 1e-4);         // dopamine
    EXPECT_NEAR(mz("C8H11NO2", "M+FMP10+dFMP10"), 674.2802, 1e-4);  // both as published
    EXPECT_NEAR(mz("C6H12O6", "M+FA-H"), 180.06339 + 44.998201, 1e-5);
    EXPECT_NEAR(mz("C6H12O6", "M+3Na"), 180.06339 / 3 + 22.989218, 1e-5);
}

TEST(Adduct, BracketsAndShortFormsMeanTheSame) {
    for (const char* text : {"[M+H]+", "M+H", "+H"}) {
        EXPECT_EQ(parse_adduct(text).name, "M+H") << text;
        EXPECT_EQ(parse_adduct(text).charge, 1) << text;
    }
    EXPECT_EQ(parse_adduct("[M+2H]2+").charge, 2);
    EXPECT_EQ(parse_adduct("M+Na-2H").charge, -1);
    EXPECT_EQ(parse_adduct("[M]+").charge, 1);
    EXPECT_EQ(parse_adduct("M+NH4").added, (Formula{{"N", 1}, {"H", 4}}));
}

TEST(Adduct, ErrorsSayWhatIsWrong) {
    for (const char* text :
         {"", "M", "M+", "H", "M+H2O", "[M+H", "[M+H]-", "[M+H]2", "M+Foo", "0M+H", "M*H"})
        EXPECT_THROW(parse_adduct(text), core::ConfigError) << text;
}

TEST(Adduct, TheWholeTableHasTheRightSigns) {
    for (const std::int32_t sign : {1, -1}) {
        for (const auto& adduct : all_adducts(sign)) EXPECT_GT(adduct.charge * sign, 0);
        for (const auto& adduct : usual_adducts(sign)) EXPECT_EQ(adduct.charge, sign);
    }
    for (const auto& adduct : fmp10_adducts()) {
        EXPECT_EQ(adduct.charge, 1) << adduct.name;
    }
}

TEST(Adduct, NoAtomsCanBeLostThatAreNotThere) {
    EXPECT_FALSE(ion_formula(formula("C6H6"), parse_adduct("M-H2O-H")));
    EXPECT_TRUE(ion_formula(formula("C6H6O"), parse_adduct("M-H2O-H")));
}

// C60: 60 * 0.0107 / 0.9893 for one 13C, and the binomial term for two.
TEST(IsotopePeaks, FollowFromAbundances) {
    const double ratio = 0.0107 / 0.9893;
    const auto carbon = isotope_peaks(formula("C60"));
    EXPECT_NEAR(carbon.plus_one, 60 * ratio, 1e-9);
    EXPECT_NEAR(carbon.plus_one_mass, 1.0033548, 1e-6);
    EXPECT_NEAR(carbon.plus_two, 60.0 * 59 / 2 * ratio * ratio, 1e-9);
    EXPECT_NEAR(carbon.plus_two_mass, 2 * 1.0033548, 1e-6);
    const auto potassium = isotope_peaks(formula("K"));
    EXPECT_NEAR(potassium.plus_two, 0.067302 / 0.932581, 1e-6);
    EXPECT_NEAR(potassium.plus_two_mass, 1.998119, 1e-6);
    EXPECT_EQ(isotope_peaks(formula("F2")).plus_one, 0.0);
}

}  // namespace
}  // namespace smeta::analysis
