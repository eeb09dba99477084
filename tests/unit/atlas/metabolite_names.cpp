#include "metabolite_names.hpp"

#include <gtest/gtest.h>

namespace {

using smeta::atlas::common_names;
using smeta::atlas::MassBin;

TEST(MetaboliteNames, SamplesShareTheNameOfAGroupsMean) {
    const std::vector<MassBin> a{{"pos", 400.0000}, {"pos", 500.0}};
    const std::vector<MassBin> b{{"pos", 400.0020}, {"neg", 400.0}};
    const auto names = common_names({a, b}, 5);
    EXPECT_EQ(names[0].at(a[0]), "mz_400.0010_pos");
    EXPECT_EQ(names[1].at(b[0]), "mz_400.0010_pos");
    EXPECT_EQ(names[0].at(a[1]), "mz_500.0000_pos");
    EXPECT_EQ(names[1].at(b[1]), "mz_400.0000_neg");
}

TEST(MetaboliteNames, TwoBinsOfASampleNeverShareAName) {
    const std::vector<MassBin> close{{"pos", 10.00001}, {"pos", 10.00002}};
    const auto names = common_names({close}, 5);
    EXPECT_NE(names[0].at(close[0]), names[0].at(close[1]));
    // ... nor do they chain samples together beyond twice the tolerance.
    const std::vector<MassBin> a{{"pos", 100.0000}}, b{{"pos", 100.0009}}, c{{"pos", 100.0018}};
    const auto chain = common_names({a, b, c}, 5);
    EXPECT_EQ(chain[0].at(a[0]), chain[1].at(b[0]));
    EXPECT_NE(chain[1].at(b[0]), chain[2].at(c[0]));
}

TEST(MetaboliteNames, SamplesThatComeOneByOneGetTheNamesOfASingleCall) {
    // The last is 6 ppm from the mean of the group, and each by itself would be named otherwise.
    const std::vector<std::vector<MassBin>> study{{{"pos", 100.0000}, {"pos", 300.0000}},
                                                  {{"pos", 100.0000}, {"pos", 100.0012}},
                                                  {{"pos", 100.0009}, {"pos", 300.0025}}};
    const auto whole = common_names(study, 5);
    EXPECT_EQ(whole[2].at(study[2][0]), "mz_100.0003_pos");
    for (const auto& order : {std::vector<int>{0, 1, 2}, {2, 1, 0}, {1, 2, 0}}) {
        std::vector<smeta::atlas::MassNames> committed(3);
        for (const int next : order) {
            auto lacking = study;
            for (int s = 0; s < 3; ++s)
                if (!committed[s].empty()) lacking[s].clear();
            committed[next] = common_names(lacking, 5, committed)[next];
        }
        EXPECT_EQ(committed, whole);
    }
}

TEST(MetaboliteNames, ACommittedNameIsGivenToOneGroup) {
    const std::vector<MassBin> bins{{"", 100.0}, {"", 100.003}};
    const std::vector<smeta::atlas::MassNames> committed{{{{"", 100.0}, "mz_a"}},
                                                         {{{"", 100.003}, "mz_a"}}};
    const auto names = common_names({bins}, 5, committed);
    EXPECT_EQ(names[0].at(bins[0]), "mz_a");
    EXPECT_EQ(names[0].at(bins[1]), "mz_100.0030");
}

TEST(MetaboliteNames, NothingGivesNothing) {
    EXPECT_TRUE(common_names({}, 5).empty());
    EXPECT_TRUE(common_names({{}}, 5)[0].empty());
}

}  // namespace
