#include "smeta/spatial/graph.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"
#include "smeta/spatial/autocorrelation.hpp"

namespace {

using namespace smeta;
using core::MatrixD;
using spatial::SpatialGraph;

// 4 x 4 grid, x fastest.
MatrixD grid() {
    MatrixD points(16, 2);
    for (int i = 0; i < 16; ++i) points.row(i) << i % 4, i / 4;
    return points;
}

// Weights as a dense matrix and the formulas of Moran and Geary as they are written.
MatrixD dense_weights(const SpatialGraph& graph) {
    MatrixD weights = MatrixD::Zero(graph.rows, graph.rows);
    for (std::int64_t i = 0; i < graph.rows; ++i)
        for (std::size_t e = 0; e < graph.row_columns(i).size(); ++e)
            weights(i, graph.row_columns(i)[e]) = graph.row_weights(i)[e];
    return weights;
}

double plain_moran(const SpatialGraph& graph, const Eigen::VectorXd& x) {
    const MatrixD weights = dense_weights(graph);
    const Eigen::VectorXd z = x.array() - x.mean();
    return static_cast<double>(x.size()) / weights.sum() * z.dot(weights * z) / z.squaredNorm();
}

TEST(SpatialGraph, GenericNeighboursPointFromTheirSource) {
    MatrixD line(4, 1);
    line << 0, 1, 2, 10;
    const SpatialGraph graph = spatial::nearest_neighbour_graph(line, 1);
    // Nearest: 0 -> 1, 1 -> 0 (tie with 2), 2 -> 1, 3 -> 2; w[neighbour, source].
    MatrixD expected = MatrixD::Zero(4, 4);
    expected(1, 0) = expected(0, 1) = expected(1, 2) = expected(2, 3) = 1.0;
    EXPECT_EQ(dense_weights(graph), expected);
    SpatialGraph normalised = graph;
    spatial::normalise_rows(normalised);
    EXPECT_EQ(normalised.row_weights(1)[0], 0.5);
    EXPECT_TRUE(normalised.row_columns(3).empty());
}

TEST(SpatialGraph, Hexagonal) {
    // Rows 0 and 2 have even columns, row 1 odd ones; the spot in the middle has six neighbours.
    const spatial::ArrayPositions positions{{0, 0, 1, 1, 1, 2, 2, 9}, {2, 4, 1, 3, 5, 2, 4, 11}};
    ASSERT_TRUE(spatial::is_hexagonal(positions));
    const SpatialGraph graph = spatial::hexagonal_graph(positions);
    const std::vector<std::int64_t> around{0, 1, 2, 4, 5, 6};
    EXPECT_EQ(std::vector<std::int64_t>(graph.row_columns(3).begin(), graph.row_columns(3).end()),
              around);
    EXPECT_TRUE(graph.row_columns(7).empty());
    EXPECT_EQ(dense_weights(graph), dense_weights(graph).transpose());
    EXPECT_FALSE(spatial::is_hexagonal({{0, 0}, {0, 1}}));
    EXPECT_FALSE(spatial::is_hexagonal({{0, 0}, {2, 2}}));
}

TEST(SpatialGraph, ChoosesTheLayout) {
    MatrixD points(3, 2);
    points << 0, 0, 2, 0, 1, 1;
    const spatial::ArrayPositions hexagonal{{0, 0, 1}, {0, 2, 1}};
    EXPECT_EQ(dense_weights(spatial::spatial_graph(points, hexagonal)).sum(), 3.0);
    const SpatialGraph generic = spatial::spatial_graph(points, std::nullopt);
    EXPECT_EQ(spatial::spatial_graph(points, spatial::ArrayPositions{{0, 0, 1}, {0, 1, 1}}),
              generic);
    // Hexagonal positions without a single edge tell nothing: the coordinates do.
    EXPECT_EQ(spatial::spatial_graph(points, spatial::ArrayPositions{{0, 20, 40}, {0, 20, 40}}),
              generic);
}

TEST(Autocorrelation, GoldenValuesOnTheGrid) {
    const SpatialGraph graph = spatial::spatial_graph(grid(), std::nullopt);
    const spatial::Autocorrelation autocorrelation(graph);
    std::vector<double> x(16);
    for (int i = 0; i < 16; ++i) x[i] = i % 4 + 0.5 * (i / 4);
    EXPECT_NEAR(autocorrelation.total_weight(), 16.0, 1e-12);
    EXPECT_NEAR(autocorrelation.morans_i(x), 0.6379761904761905, 1e-13);
    EXPECT_NEAR(autocorrelation.gearys_c(x), 0.3420758928571429, 1e-13);
}

TEST(Autocorrelation, ConstantIsUndefined) {
    const SpatialGraph graph = spatial::spatial_graph(grid(), std::nullopt);
    const spatial::Autocorrelation autocorrelation(graph);
    std::vector<double> scratch;
    const std::vector<double> constant(16, 0.1);
    std::vector<std::int32_t> all(16);
    for (int i = 0; i < 16; ++i) all[i] = i;
    EXPECT_TRUE(std::isnan(autocorrelation.morans_i(constant)));
    EXPECT_TRUE(std::isnan(autocorrelation.gearys_c(constant)));
    EXPECT_TRUE(std::isnan(autocorrelation.morans_i({}, {}, scratch)));
    EXPECT_TRUE(std::isnan(autocorrelation.morans_i(all, constant, scratch)));
    const SpatialGraph none{3, {0, 0, 0, 0}, {}, {}};
    EXPECT_TRUE(std::isnan(spatial::Autocorrelation(none).morans_i(std::vector<double>{1, 2, 3})));
}

TEST(Autocorrelation, CheckerboardIsNegativeHalvesArePositive) {
    // Four nearest neighbours on the torus-free grid: a checkerboard has -1 only among inner spots;
    // the hexagonal graph of a single line alternates exactly.
    const spatial::ArrayPositions line{{0, 0, 0, 0, 0, 0}, {0, 2, 4, 6, 8, 10}};
    SpatialGraph graph = spatial::hexagonal_graph(line);
    spatial::normalise_rows(graph);
    const spatial::Autocorrelation autocorrelation(graph);
    EXPECT_NEAR(autocorrelation.morans_i(std::vector<double>{1, 0, 1, 0, 1, 0}), -1.0, 1e-14);
    // z = +-1/2: of the rows (1, .5+.5, ...) four keep their side, two are mixed (0): I = 4/6.
    EXPECT_NEAR(autocorrelation.morans_i(std::vector<double>{1, 1, 1, 0, 0, 0}), 4.0 / 6.0, 1e-14);
}

TEST(Autocorrelation, SparseEqualsPlainFormula) {
    const core::Philox random(5, core::DrawPurpose::Test);
    MatrixD points(200, 2);
    for (Eigen::Index i = 0; i < points.size(); ++i) points.data()[i] = random.uniform(i);
    const SpatialGraph graph = spatial::spatial_graph(points, std::nullopt);
    const spatial::Autocorrelation autocorrelation(graph);
    std::vector<double> scratch;
    for (const double density : {0.01, 0.2, 0.5, 0.9, 1.0}) {
        Eigen::VectorXd x = Eigen::VectorXd::Zero(200);
        std::vector<std::int32_t> rows;
        std::vector<double> values;
        for (int i = 0; i < 200; ++i) {
            if (random.uniform(1000 + i) >= density) continue;
            x[i] = 3.0 + random.normal(2000 + i);
            rows.push_back(i);
            values.push_back(x[i]);
        }
        ASSERT_FALSE(rows.empty());
        const double expected = plain_moran(graph, x);
        EXPECT_NEAR(autocorrelation.morans_i(rows, values, scratch), expected, 1e-12);
        EXPECT_NEAR(autocorrelation.morans_i(std::span(x.data(), 200)), expected, 1e-12);
    }
}

}  // namespace
