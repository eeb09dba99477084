#include "smeta/analysis/calibration.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"

namespace smeta::analysis {
namespace {

using Reference = std::map<std::string, std::vector<double>>;

/// Two measures that hang together, and one that most spots lack.
Reference spots_like_the_reference(std::uint64_t seed, int spots) {
    Reference reference;
    for (int i = 0; i < spots; ++i) {
        const core::Philox draw(seed, core::DrawPurpose::Test, 0,
                                {1, static_cast<std::uint64_t>(i)});
        const double common = draw.uniform(0);
        reference["distance"].push_back(common + 0.3 * draw.uniform(1));
        reference["fit_st"].push_back(common + 0.3 * draw.uniform(2));
        reference["fit_sm"].push_back(i % 3 == 0 ? draw.uniform(3) : std::nan(""));
    }
    return reference;
}

TEST(Calibration, flags_the_stated_share_of_spots_like_the_reference) {
    for (const double share : {0.01, 0.05, 0.2}) {
        const Calibration calibration(spots_like_the_reference(1, 4000), share);
        const Reference others = spots_like_the_reference(2, 20000);
        double flagged = 0;
        for (std::size_t i = 0; i < 20000; ++i) {
            Strangeness spot;
            for (const auto& [name, values] : others) spot[name] = values[i];
            const auto verdict = calibration.judge(spot);
            EXPECT_EQ(verdict.p <= share, !verdict.reasons.empty());
            flagged += verdict.reasons.empty() ? 0 : 1;
        }
        // Three standard deviations of both draws.
        EXPECT_NEAR(flagged / 20000, share, 3 * std::sqrt(share * (1.0 / 4000 + 1.0 / 20000)));
    }
}

TEST(Calibration, says_which_measure_is_strange) {
    const Calibration calibration(spots_like_the_reference(1, 4000), 0.01);
    EXPECT_TRUE(calibration.judge({{"distance", 0.5}, {"fit_st", 0.5}}).reasons.empty());
    EXPECT_EQ(calibration.judge({{"distance", 0.5}, {"fit_st", 9}}).reasons,
              std::vector<std::string>{"fit_st"});
    EXPECT_EQ(calibration.judge({{"distance", 9}, {"fit_st", 9}, {"fit_sm", std::nan("")}}).reasons,
              (std::vector<std::string>{"distance", "fit_st"}));
    EXPECT_EQ(calibration.judge({}).p, 1);
    EXPECT_EQ(calibration.judge({{"other", 9}}).p, 1);
}

TEST(Calibration, few_reference_spots_flag_nothing) {
    const Calibration calibration({{"distance", {1, 2, 3, 4, 5}}}, 0.1);
    EXPECT_EQ(calibration.reference_spots(), 5);
    EXPECT_DOUBLE_EQ(calibration.judge({{"distance", 100}}).p, 1.0 / 6);
    EXPECT_TRUE(calibration.judge({{"distance", 100}}).reasons.empty());
    EXPECT_EQ(Calibration({{"distance", {1, 2, 3, 4, 5}}}, 0.2).judge({{"distance", 100}}).reasons,
              std::vector<std::string>{"distance"});
}

}  // namespace
}  // namespace smeta::analysis
