#include "smeta/analysis/leiden.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "smeta/analysis/connectivities.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

namespace smeta::analysis {
namespace {

struct Planted {
    core::MatrixD points;
    std::vector<std::int32_t> labels;
};

/// Gaussian clouds far apart; cloud c has (c + 1) * unit points, rows interleaved.
Planted clouds(int count, int unit) {
    const core::Philox random(5, core::DrawPurpose::Test);
    Planted planted;
    for (int i = 0; i < count * unit; ++i)
        for (int c = count - 1; c >= 0; --c)
            if (i < (c + 1) * unit) planted.labels.push_back(c);
    planted.points.resize(static_cast<Eigen::Index>(planted.labels.size()), 3);
    std::uint64_t draw = 0;
    for (Eigen::Index r = 0; r < planted.points.rows(); ++r)
        for (int d = 0; d < 3; ++d)
            planted.points(r, d) = random.normal(draw++) + (d == 0 ? 30.0 * planted.labels[r] : 0);
    return planted;
}

TEST(Leiden, FindsPlantedClusters) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    const auto planted = clouds(4, 40);
    const auto nearest = nearest_neighbors(planted.points, {0, planted.points.rows()}, 14);
    const auto graph = connectivities(nearest);
    const auto found = leiden(graph, {.resolution = 0.05, .seed = 1});
    for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_EQ(found[i], 3 - planted.labels[i]) << "largest cloud first, row " << i;
    EXPECT_EQ(found, leiden(graph, {.resolution = 0.05, .seed = 1}));
}

TEST(Leiden, ResolutionMakesMoreClusters) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    const auto planted = clouds(3, 60);
    const auto graph =
        connectivities(nearest_neighbors(planted.points, {0, planted.points.rows()}, 14));
    const auto clusters = [&](double resolution) {
        const auto labels = leiden(graph, {.resolution = resolution});
        return *std::max_element(labels.begin(), labels.end()) + 1;
    };
    EXPECT_GT(clusters(3.0), clusters(0.05));
}

TEST(Leiden, GivesEveryIsolatedPointItsOwn) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    core::CountsCsr empty;
    empty.cols = 3;
    for (int i = 0; i < 3; ++i) empty.append_row({}, {});
    EXPECT_EQ(leiden(empty, {}), (std::vector<std::int32_t>{0, 1, 2}));
}

TEST(Leiden, SaysWhenItIsNotBuilt) {
    if (have_leiden()) {
        EXPECT_NO_THROW(leiden({}, {}));
    } else {
        EXPECT_THROW(leiden({}, {}), core::ConfigError);
    }
}

TEST(OrderBySize, LargestFirstThenFirstRow) {
    EXPECT_EQ(order_by_size({7, 3, 3, 9, 7, 3}), (std::vector<std::int32_t>{1, 0, 0, 2, 1, 0}));
    EXPECT_EQ(order_by_size({5, 4}), (std::vector<std::int32_t>{0, 1}));
    EXPECT_TRUE(order_by_size({}).empty());
}

}  // namespace
}  // namespace smeta::analysis
