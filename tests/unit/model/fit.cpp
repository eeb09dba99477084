#include "fit.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"

namespace smeta::model {
namespace {

constexpr std::int64_t kRows = 400;
constexpr std::int64_t kFeatures = 5;

struct Rows {
    std::vector<std::vector<double>> observed;
    std::vector<std::vector<float>> predicted;
};

/// Feature 2 is predicted as a constant, 3 is constant, 4 is not measured.
Rows rows() {
    Rows result;
    for (std::int64_t r = 0; r < kRows; ++r) {
        const core::Philox random(3, core::DrawPurpose::Test, 0,
                                  {1, static_cast<std::uint64_t>(r)});
        auto& x = result.observed.emplace_back();
        auto& y = result.predicted.emplace_back();
        for (std::uint64_t f = 0; f < kFeatures; ++f) {
            const double value = 2 + random.normal(2 * f);
            x.push_back(f == 3 ? 1 : value);
            y.push_back(static_cast<float>(f == 2 ? 0.5 : 0.6 * value + random.normal(2 * f + 1)));
        }
    }
    return result;
}

const std::vector<std::uint8_t> kMeasured = {1, 1, 1, 1, 0};

FitInfluence::OfRow means(const FeatureCorrelation& correlation) {
    FitInfluence::OfRow sum;
    for (const int f : {0, 1, 2}) {
        sum.pearson += f == 2 ? 0 : correlation.pearson(f) / 3;
        sum.cosine += correlation.cosine(f) / 3;
    }
    return sum;
}

TEST(FitInfluence, IsWhatOneRowMoreChangesToFirstOrder) {
    const auto [observed, predicted] = rows();
    FeatureCorrelation all(kFeatures);
    for (std::int64_t r = 0; r < kRows; ++r) all.add(observed[r], predicted[r]);
    const FitInfluence influence(all, kMeasured);
    const auto before = means(all);
    FitInfluence::OfRow sum;
    double error = 0;
    double size = 0;
    for (std::int64_t r = 0; r < kRows; ++r) {
        const auto own = influence.of_row(observed[r], predicted[r]);
        sum.pearson += own.pearson;
        sum.cosine += own.cosine;
        auto more = all;
        more.add(observed[r], predicted[r]);
        const auto after = means(more);
        const double n = kRows + 1;
        error += std::abs(n * (after.pearson - before.pearson) - own.pearson) +
                 std::abs(n * (after.cosine - before.cosine) - own.cosine);
        size += std::abs(own.pearson) + std::abs(own.cosine);
    }
    EXPECT_NEAR(sum.pearson, 0, 1e-10);
    EXPECT_NEAR(sum.cosine, 0, 1e-10);
    EXPECT_LT(error, 0.02 * size);
}

}  // namespace
}  // namespace smeta::model
