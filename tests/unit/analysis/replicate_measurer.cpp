#include "replicate_measurer.hpp"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "smeta/stats/mutual_information.hpp"

namespace smeta::analysis::detail {
namespace {

constexpr std::int64_t kSpots = 60;
constexpr std::int64_t kReplicates = 25;

/// A feature on a line of spots in four clusters, one of a single spot and one of three.
struct Section {
    core::MatrixD position{kSpots, 2};
    std::vector<std::int32_t> clusters;
    std::vector<double> dense;
    std::vector<SpotValue> values;

    Section() {
        for (std::int64_t i = 0; i < kSpots; ++i) {
            position.row(i) << static_cast<double>(i), static_cast<double>(i * i % 7);
            clusters.push_back(i == 20 ? 2 : i > 56 ? 3 : i < 25 ? 0 : 1);
            dense.push_back(i % 3 == 0 ? 0 : 1 + i % 5 + (i < 25 ? 2 : 0));
            if (dense.back() != 0)
                values.push_back({static_cast<std::int32_t>(i), static_cast<float>(dense.back())});
        }
    }
};

TEST(SpotDraws, AreThoseOfTheBootstrap) {
    const SpotDraws draws(kSpots, kReplicates, 5, "a");
    for (const std::int64_t spot : {0, 17, 59}) {
        const auto times = bootstrap(comm::Comm::self(), kSpots, kReplicates, 5, "a",
                                     [&](std::span<const std::int64_t> spots) {
                                         return std::count(spots.begin(), spots.end(), spot);
                                     });
        const auto counts = draws.of_spot(spot);
        EXPECT_EQ(std::vector<double>(counts.begin(), counts.end()), times) << spot;
    }
}

// The definitions of docs/scores.md, each spot as often as it is drawn.
TEST(ReplicateMeasurer, IsTheStatisticOfTheSpotsDrawn) {
    const Section section;
    const std::vector<SectionClusters> clusterings{{section.position, section.clusters}};
    const auto& clusters = clusterings[0];
    const SpotDraws draws(kSpots, kReplicates, 5, "a");
    const auto found = FeatureMeasurer(clusterings).measure(0, section.values);
    auto distinct = section.dense;
    for (std::int64_t i = 0; i < kSpots; ++i)
        distinct[i] += 1e-6 * static_cast<double>(i * 37 % 61);
    std::vector<double> terms;
    const double information = clusters.information.estimate(distinct, terms);
    ASSERT_GT(information, 0);
    std::vector<float> result;
    ReplicateMeasurer(clusterings, draws)
        .measure(0, section.values, found, information, terms, result);
    ASSERT_EQ(result.size(), ReplicateMeasurer::kStatistics * kReplicates);
    for (std::int64_t r = 0; r < kReplicates; ++r) {
        const auto times = [&](std::int64_t spot) {
            return static_cast<double>(draws.of_spot(spot)[r]);
        };
        double n = 0;
        double sum = 0;
        double all_terms = 0;
        double specific = 0;
        double specific_sum = 0;
        std::vector<double> group(4, 0);
        std::vector<double> group_sum(4, 0);
        for (std::int64_t i = 0; i < kSpots; ++i) {
            const auto cluster = section.clusters[i];
            if (cluster != 2) {  // the lone spot
                n += times(i);
                sum += times(i) * section.dense[i];
                all_terms += times(i) * terms[i];
            }
            if (cluster > 1) continue;  // fewer than four spots
            specific += times(i);
            specific_sum += times(i) * section.dense[i];
            group[cluster] += times(i);
            group_sum[cluster] += times(i) * section.dense[i];
        }
        const double mean = sum / n;
        double cross = 0;
        double squares = 0;
        double differences = 0;
        for (std::int64_t i = 0; i < kSpots; ++i) {
            if (clusters.place[i] < 0) continue;
            const double z = section.dense[i] - mean;
            squares += times(i) * z * z;
            const auto columns = clusters.graph.row_columns(clusters.place[i]);
            const auto weights = clusters.graph.row_weights(clusters.place[i]);
            for (std::size_t e = 0; e < columns.size(); ++e) {
                // The spots before the lone one have its place, those after it one less.
                const std::int64_t other = columns[e] < 20 ? columns[e] : columns[e] + 1;
                const double y = section.dense[other] - mean;
                cross += times(i) * weights[e] * z * y;
                differences += times(i) * weights[e] * (z - y) * (z - y);
            }
        }
        const auto at = [&](std::size_t statistic) { return result[statistic * kReplicates + r]; };
        EXPECT_NEAR(at(ReplicateMeasurer::kMoran), cross / squares, 1e-6);
        EXPECT_NEAR(at(ReplicateMeasurer::kGeary), (n - 1) / n * differences / (2 * squares), 1e-6);
        EXPECT_NEAR(at(ReplicateMeasurer::kSpecificity),
                    group_sum[found.largest] / group[found.largest] / (specific_sum / specific),
                    1e-6)
            << "of the cluster that is largest in all spots";
        EXPECT_NEAR(at(ReplicateMeasurer::kInformation), all_terms / n, 1e-6);
    }
}

TEST(ReplicateMeasurer, AFeatureWithoutValuesHasNone) {
    const Section section;
    const std::vector<SectionClusters> clusterings{{section.position, section.clusters}};
    const SpotDraws draws(kSpots, kReplicates, 5, "a");
    const std::vector<SpotValue> nothing;
    const auto found = FeatureMeasurer(clusterings).measure(0, nothing);
    EXPECT_EQ(found.largest, -1);
    std::vector<float> result;
    const std::vector<double> terms(kSpots, -0.5);
    ReplicateMeasurer(clusterings, draws).measure(0, nothing, found, 0, terms, result);
    for (std::size_t i = 0; i < result.size(); ++i)
        EXPECT_TRUE(i < 3 * kReplicates ? std::isnan(result[i]) : result[i] == 0) << i;
}

}  // namespace
}  // namespace smeta::analysis::detail
