#include "smeta/analysis/umap.hpp"

#include <gtest/gtest.h>

#include "smeta/analysis/connectivities.hpp"
#include "smeta/analysis/knn.hpp"
#include "smeta/core/random.hpp"

namespace smeta::analysis {
namespace {

// umap-learn 0.5: find_ab_params(1, 0.1) and (1, 0.5).
TEST(Umap, CurveOfUmapLearn) {
    const auto tight = umap_curve(0.1, 1);
    EXPECT_NEAR(tight.a, 1.5769434602697652, 1e-4);
    EXPECT_NEAR(tight.b, 0.8950608778515733, 1e-4);
    const auto loose = umap_curve(0.5, 1);
    EXPECT_NEAR(loose.a, 0.5830300203414425, 1e-4);
    EXPECT_NEAR(loose.b, 1.3341669924372581, 1e-4);
}

/// Three clouds far apart.
core::MatrixD clouds() {
    const core::Philox random(5, core::DrawPurpose::Test);
    core::MatrixD points(240, 6);
    for (Eigen::Index r = 0; r < 240; ++r)
        for (Eigen::Index c = 0; c < 6; ++c)
            points(r, c) =
                random.normal(static_cast<std::uint64_t>(r * 6 + c)) + (c == r % 3 ? 12 : 0);
    return points;
}

TEST(Umap, KeepsCloudsTogetherAndApart) {
    const auto points = clouds();
    const auto graph = connectivities(nearest_neighbors(points, {0, 240}, 14));
    const UmapConfig config{.epochs = 200};
    const auto layout = umap_layout(graph.view(), umap_start(points), config, 1);
    const auto near = nearest_neighbors(layout, {0, 240}, 10);
    std::int64_t same = 0;
    for (std::int64_t r = 0; r < 240; ++r)
        for (int k = 0; k < 10; ++k) same += near.indices[r * 10 + k] % 3 == r % 3;
    EXPECT_EQ(same, 2400);
    EXPECT_TRUE(layout == umap_layout(graph.view(), umap_start(points), config, 1));
    EXPECT_FALSE(layout == umap_layout(graph.view(), umap_start(points), config, 2));
}

TEST(Umap, FewOrEqualPoints) {
    for (const Eigen::Index rows : {0, 1, 2, 5}) {
        const core::MatrixD points = core::MatrixD::Zero(rows, 3);
        const auto graph = connectivities(nearest_neighbors(points, {0, rows}, 14));
        const auto layout = umap_layout(graph.view(), umap_start(points), {.epochs = 20}, 1);
        EXPECT_EQ(layout.rows(), rows);
        EXPECT_TRUE(layout.allFinite());
    }
}

}  // namespace
}  // namespace smeta::analysis
