#include "smeta/analysis/scores.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/analysis/continuity.hpp"
#include "smeta/analysis/graph_scores.hpp"
#include "smeta/analysis/lisi.hpp"
#include "smeta/analysis/partition_scores.hpp"

namespace smeta::analysis {
namespace {

using Codes = std::vector<std::int32_t>;

// Values of scikit-learn 1.6.1.
TEST(PartitionScores, KnownValues) {
    const Codes truth{0, 0, 0, 1, 1, 1, 2, 2, 2, 2};
    const Codes found{0, 0, 1, 1, 1, 1, 2, 2, 0, 2};
    EXPECT_NEAR(adjusted_rand_index(truth, found), 0.4318181818181818, 1e-14);
    EXPECT_NEAR(normalized_mutual_information(truth, found), 0.6180656462921542, 1e-14);
    EXPECT_EQ(adjusted_rand_index(truth, truth), 1);
    EXPECT_NEAR(normalized_mutual_information(truth, truth), 1, 1e-15);
    const Codes one(10, 0);
    EXPECT_EQ(adjusted_rand_index(one, one), 1);
    EXPECT_EQ(normalized_mutual_information(one, one), 1);
    EXPECT_EQ(normalized_mutual_information(truth, one), 0);
    EXPECT_TRUE(std::isnan(adjusted_rand_index(Codes{}, Codes{})));
}

// Golden values of a 4 x 4 grid, x fastest, left half one cluster, right half the other, one odd
// spot.
TEST(Continuity, GoldenGrid) {
    core::MatrixD position(16, 2);
    Codes clusters(16);
    for (int i = 0; i < 16; ++i) {
        position.row(i) << i % 4, i / 4;
        clusters[i] = i % 4 < 2 ? 0 : 1;
    }
    clusters[5] = 1;
    EXPECT_NEAR(mean_of_known(chaos_distances(position, clusters)), .8944271909999162, 1e-10);
    EXPECT_NEAR(mean_of_known(abnormal_spots(position, clusters)), .1875, 1e-12);
}

TEST(Continuity, SpotsWithoutClusterAndSmallClusters) {
    core::MatrixD position(5, 2);
    position << 0, 0, 0, 1, 0, 3, 5, 5, 9, 9;
    const auto distances = chaos_distances(position, Codes{0, 0, 0, 1, -1});
    EXPECT_TRUE(std::isnan(distances[3])) << "a cluster of one";
    EXPECT_TRUE(std::isnan(distances[4])) << "no cluster";
    EXPECT_FALSE(std::isnan(distances[2]));
    const auto abnormal = abnormal_spots(position, Codes{0, 0, 0, 1, -1});
    EXPECT_EQ(abnormal[0], 0) << "two of four others differ";
    EXPECT_TRUE(std::isnan(abnormal[4]));
    EXPECT_TRUE(std::isnan(mean_of_known({})));
}

core::CountsCsr chain(const std::vector<std::pair<int, int>>& edges, int nodes) {
    core::MatrixF dense = core::MatrixF::Zero(nodes, nodes);
    for (const auto& [a, b] : edges) dense(a, b) = dense(b, a) = 0.5F;
    return core::from_dense(dense);
}

TEST(GraphScores, ConnectivityCountsTheLargestPartOfEachLabel) {
    const auto graph = chain({{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}}, 6);
    using Values = std::vector<double>;
    EXPECT_EQ(in_largest_part(graph.view(), Codes{0, 0, 0, 1, 1, 1}), Values(6, 1.0));
    // Label 1 is cut in two by label 0: 2 of 3 hang together; label 0 is cut, too: 2 of 3.
    EXPECT_EQ(in_largest_part(graph.view(), Codes{0, 0, 1, 0, 1, 1}), (Values{1, 1, 0, 0, 1, 1}));
    // The larger part comes last; of equal parts the first counts.
    EXPECT_EQ(in_largest_part(graph.view(), Codes{0, 1, 0, 0, 1, 2}), (Values{0, 1, 1, 1, 0, 1}));
    EXPECT_TRUE(in_largest_part({}, Codes{}).empty());
}

TEST(GraphScores, VarianceBetweenBatches) {
    core::MatrixD points(4, 1);
    points << 0, 2, 10, 12;
    // Mean 6, total 36 + 16 + 16 + 36 = 104; between 4 * 25 = 100.
    EXPECT_NEAR(batch_variance(points, Codes{0, 0, 1, 1}), 100.0 / 104, 1e-15);
    EXPECT_EQ(batch_variance(points, Codes{0, 0, 0, 0}), 0);
    EXPECT_TRUE(std::isnan(batch_variance(core::MatrixD::Zero(3, 2), Codes{0, 1, 1})));
}

TEST(Lisi, GraphDistancesAddUpAlongPaths) {
    // A ring of 200 nodes, 91 on the way to the 90 nearest: each node sees 45 to either side.
    core::CountsCsr ring;
    ring.cols = 200;
    Codes labels(200);
    for (std::int32_t r = 0; r < 200; ++r) {
        const std::int32_t before = (r + 199) % 200;
        const std::int32_t after = (r + 1) % 200;
        ring.append_row(std::vector{std::min(before, after), std::max(before, after)},
                        std::vector{1.0F, 1.0F});
        labels[r] = r % 2;
    }
    std::vector<double> distances;
    Codes seen;
    for (std::int32_t step = 1; step <= 45; ++step)
        for (int side = 0; side < 2; ++side) {
            distances.push_back(step);
            seen.push_back(step % 2);
        }
    const auto values = graph_lisi(comm::Comm::self(), ring.view(), labels);
    EXPECT_NEAR(values[0], lisi(distances, seen).value, 1e-12);
    EXPECT_NEAR(values[77], values[0], 1e-12);
}

TEST(Lisi, DistancesThatUnderflowAtFirst) {
    std::vector<double> distances;
    Codes labels;
    for (int i = 1; i <= 90; ++i) {
        distances.push_back(.05 * i * 1e6);
        labels.push_back(i % 3);
    }
    // The same row with a unit a million times smaller; precision to the bisection's tolerance.
    EXPECT_NEAR(lisi(distances, labels).value, 2.983778051079701, 1e-3);
}

}  // namespace
}  // namespace smeta::analysis
