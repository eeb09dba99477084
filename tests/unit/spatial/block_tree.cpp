#include "smeta/spatial/block_tree.hpp"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"

namespace smeta::spatial {
namespace {

using core::MatrixD;
using Found = BlockTree::Found;

MatrixD random_points(Eigen::Index rows, Eigen::Index cols, std::uint64_t seed = 1) {
    const core::Philox random(seed, core::DrawPurpose::Test);
    MatrixD points(rows, cols);
    for (Eigen::Index i = 0; i < points.size(); ++i)
        points.data()[i] = random.normal(static_cast<std::uint64_t>(i));
    return points;
}

/// Every point's others by squared distance and row.
std::vector<Found> brute_force(const MatrixD& points, std::int32_t row, std::int64_t k) {
    std::vector<Found> all;
    for (std::int32_t other = 0; other < points.rows(); ++other) {
        if (other == row) continue;
        double squared = 0;
        for (Eigen::Index d = 0; d < points.cols(); ++d) {
            const double step = points(other, d) - points(row, d);
            squared += step * step;
        }
        all.push_back({squared, other});
    }
    std::sort(all.begin(), all.end());
    all.resize(std::min<std::size_t>(all.size(), k));
    return all;
}

/// Searches for all points, `size` at a time.
std::vector<std::vector<Found>> search_all(const MatrixD& points, std::int64_t k, std::int64_t size,
                                           std::int64_t leaves) {
    const BlockTree tree(points);
    BlockTree::Search search(tree, k, leaves);
    std::vector<std::vector<Found>> result(points.rows());
    std::vector<std::int32_t> positions;
    for (std::int64_t first = 0; first < tree.rows(); first += size) {
        positions.resize(std::min(size, tree.rows() - first));
        std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(first));
        search.find(positions);
        for (std::size_t q = 0; q < positions.size(); ++q) {
            const auto found = search.found(q);
            result[tree.order()[positions[q]]].assign(found.begin(), found.end());
        }
    }
    return result;
}

void expect_exact(const MatrixD& points, std::int64_t k) {
    const auto found = search_all(points, k, 64, BlockTree::Search::kEveryLeaf);
    for (std::int32_t row = 0; row < points.rows(); ++row) {
        const auto expected = brute_force(points, row, k);
        ASSERT_EQ(found[row].size(), expected.size());
        for (std::size_t n = 0; n < expected.size(); ++n) {
            ASSERT_EQ(found[row][n].row, expected[n].row) << "point " << row << " neighbour " << n;
            ASSERT_NEAR(found[row][n].squared, expected[n].squared, 1e-14 * expected[n].squared);
        }
    }
}

TEST(BlockTree, FindsWhatAllDistancesGive) {
    expect_exact(random_points(1500, 10), 20);
    expect_exact(random_points(700, 2), 7);
    expect_exact(random_points(130, 33), 90);
    expect_exact(random_points(2, 3), 1);
    expect_exact(random_points(65, 1), 64);
}

TEST(BlockTree, TiesGoToTheLowerRow) {
    MatrixD lattice(20 * 20 * 2, 2);
    for (int i = 0; i < lattice.rows(); ++i) lattice.row(i) << i % 400 % 20, i % 400 / 20;
    for (const int k : {1, 4, 9, 30}) expect_exact(lattice, k);
    expect_exact(MatrixD::Constant(300, 4, 2.5), 6);
}

TEST(BlockTree, DistancesThatSinglePrecisionCannotTellApart) {
    // Steps far below the rounding of a float beside the points' extent.
    MatrixD points = random_points(600, 3) * 1e-6;
    for (Eigen::Index r = 0; r < points.rows(); r += 2) points.row(r).array() += 1e4;
    expect_exact(points, 10);
    points = random_points(400, 5, 2);
    points.row(17).setConstant(1e9);  // all others are one place beside it
    expect_exact(points, 12);
}

TEST(BlockTree, ExtremeScales) {
    expect_exact(random_points(300, 4) * 1e-150, 8);
    expect_exact(random_points(300, 4) * 1e150, 8);
    expect_exact(MatrixD(random_points(300, 4).array() + 1e10), 8);
}

TEST(BlockTree, HowManyAreSearchedForAtOnceMakesNoDifference) {
    const auto points = random_points(1000, 6);
    const auto reference = search_all(points, 9, 64, BlockTree::Search::kEveryLeaf);
    core::set_threads(3);
    for (const int size : {1, 7, 50})
        EXPECT_TRUE(std::ranges::equal(search_all(points, 9, size, BlockTree::Search::kEveryLeaf),
                                       reference, [](const auto& a, const auto& b) {
                                           return std::ranges::equal(
                                               a, b, [](const Found& x, const Found& y) {
                                                   return x.row == y.row && x.squared == y.squared;
                                               });
                                       }));
    core::set_threads(1);
}

TEST(BlockTree, FewLeavesFindMostNeighbours) {
    const auto points = random_points(6400, 8);
    const auto exact = search_all(points, 15, 64, BlockTree::Search::kEveryLeaf);
    double before = 0;
    for (const std::int64_t leaves : {2, 10, 40, 100}) {
        const auto found = search_all(points, 15, 64, leaves);
        // The leaves depend on the point's own leaf alone, not on what is searched for beside it.
        const auto single = search_all(points, 15, 16, leaves);
        std::int64_t hits = 0;
        for (std::size_t row = 0; row < exact.size(); ++row) {
            ASSERT_EQ(found[row].size(), 15U);
            for (std::size_t n = 0; n < found[row].size(); ++n) {
                ASSERT_EQ(found[row][n].row, single[row][n].row);
                hits += std::any_of(exact[row].begin(), exact[row].end(),
                                    [&](const Found& f) { return f.row == found[row][n].row; });
            }
        }
        const double recall = static_cast<double>(hits) / (15.0 * 6400);
        EXPECT_GT(recall, before);
        before = recall;
    }
    EXPECT_EQ(before, 1.0);  // there are no more leaves
}

TEST(BlockTree, RefusesWhatItCannotSearch) {
    MatrixD points = random_points(10, 2);
    const BlockTree tree(points);
    EXPECT_THROW(BlockTree::Search(tree, 10), core::InvariantError);
    EXPECT_THROW(BlockTree::Search(tree, 0), core::InvariantError);
    points(3, 1) = std::numeric_limits<double>::infinity();
    EXPECT_THROW(BlockTree{points}, core::InvariantError);
    const MatrixD none(0, 4);
    EXPECT_EQ(BlockTree(none).rows(), 0);
}

}  // namespace
}  // namespace smeta::spatial
