#include "smeta/analysis/enrich.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"

#include "support/support.hpp"

namespace smeta::analysis {
namespace {

std::set<std::string> numbered(const std::string& prefix, int first, int last) {
    std::set<std::string> names;
    for (int i = first; i < last; ++i) names.insert(prefix + std::to_string(i));
    return names;
}

// P(X >= 4) of 20 drawn from 1000 with 50 marked, as the specification's golden value.
TEST(Enrich, HypergeometricOverTheBackground) {
    const auto background = numbered("g", 0, 1000);
    auto hits = numbered("g", 0, 4);
    hits.merge(numbered("g", 500, 516));
    hits.insert("unknown");
    const std::vector<MemberSet> sets{{"A", "a", numbered("g", 0, 50)},
                                      {"B", "b", numbered("g", 500, 510)},
                                      {"large", "", numbered("g", 0, 600)},
                                      {"outside", "", numbered("x", 0, 30)}};
    const auto rows = enrich({{"s", "one", hits}, {"s", "none", {}}}, sets, background, {});
    ASSERT_EQ(rows.size(), 4U);
    EXPECT_EQ(sets[rows[0].set].id, "B");
    EXPECT_EQ(rows[0].overlap, 10);
    EXPECT_NEAR(rows[1].p_value, 0.014808844759544488, 1e-14);
    EXPECT_EQ(rows[1].hits, 20);
    EXPECT_EQ(rows[1].size, 50);
    EXPECT_EQ(rows[1].members.size(), 4U);
    EXPECT_DOUBLE_EQ(rows[0].adjusted_p, 2 * rows[0].p_value);
    EXPECT_DOUBLE_EQ(rows[1].adjusted_p, rows[1].p_value);
    EXPECT_EQ(rows[2].list, 1);
    EXPECT_EQ(rows[2].p_value, 1.0);
    EXPECT_EQ(rows[3].adjusted_p, 1.0);
}

TEST(ReadGmt, JoinsSetsAndNamesTheWrongLine) {
    const test::TemporaryFolder folder;
    const auto path = [&](const char* name) { return (folder / name).string(); };
    std::ofstream(path("genes.gmt")) << "P1\thttp://site\tA\tB\nP2\tSecond\tC\t\n";
    std::ofstream(path("molecules.gmt")) << "P1\tFirst\tHMDB1\n\nP3\tThird\tHMDB2\n";
    const auto sets = read_gmt({path("genes.gmt"), path("molecules.gmt")});
    ASSERT_EQ(sets.size(), 3U);
    EXPECT_EQ(sets[0].members, (std::set<std::string>{"A", "B", "HMDB1"}));
    EXPECT_EQ(sets[0].name, "P1");
    EXPECT_EQ(sets[1].name, "Second");
    EXPECT_EQ(sets[1].members, std::set<std::string>{"C"});
    std::ofstream(path("wrong.gmt")) << "P1\tFirst\tA\nno members\n";
    try {
        read_gmt({path("wrong.gmt")});
        FAIL();
    } catch (const core::FormatError& error) {
        EXPECT_EQ(error.problem().object, "line 2");
    }
}

// chi2.sf(-2 ln(0.04 * 0.2), 4) of scipy.stats.combine_pvalues.
TEST(CombinedP, IsFishers) {
    EXPECT_NEAR(combined_p(0.04, 0.2), 0.04662650989841841, 1e-12);
    EXPECT_EQ(combined_p(1, 1), 1.0);
    EXPECT_EQ(combined_p(0, 0.5), 0.0);
}

}  // namespace
}  // namespace smeta::analysis
