#include "registration.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "smeta/core/random.hpp"

#include "distance_transform.hpp"
#include "support/pair_fit.hpp"

namespace {

using namespace smeta;
namespace detail = smeta::align::detail;

std::vector<double> draws(std::size_t count, std::uint64_t use) {
    const core::Philox philox(7, core::DrawPurpose::Test, use);
    std::vector<double> values(count);
    for (std::size_t k = 0; k < count; ++k) values[k] = philox.normal(k);
    return values;
}

TEST(DistanceTransform, IsTheDistanceToTheNearestSetCell) {
    constexpr std::int64_t kColumns = 23;
    constexpr std::int64_t kRows = 17;
    const std::vector<double> noise = draws(kColumns * kRows, 1);
    std::vector<std::uint8_t> set(noise.size());
    for (std::size_t c = 0; c < set.size(); ++c) set[c] = noise[c] > 2;
    ASSERT_GT(std::count(set.begin(), set.end(), 1), 1);
    const std::vector<float> found = detail::distance_to(set, kColumns, kRows);
    for (std::int64_t c = 0; c < kColumns * kRows; ++c) {
        double nearest = 1e30;
        for (std::int64_t o = 0; o < kColumns * kRows; ++o)
            if (set[o])
                nearest = std::min(
                    nearest, std::hypot(c % kColumns - o % kColumns, c / kColumns - o / kColumns));
        EXPECT_NEAR(found[c], nearest, 1e-5) << c;
    }
}

TEST(CanonicalPairs, FindWhatIsSharedWhateverTheMixture) {
    constexpr std::size_t kRows = 4000;
    const std::vector<double> noise = draws(4 * kRows, 2);
    detail::MatchedMoments moments(2, 2);
    for (std::size_t r = 0; r < kRows; ++r) {
        const double shared = noise[4 * r];
        const double x_own = noise[4 * r + 1];
        const double y_own = noise[4 * r + 2];
        // The second channel of each side takes the own part off the first.
        const float x[2] = {static_cast<float>(shared + x_own), static_cast<float>(x_own)};
        const float y[2] = {static_cast<float>(y_own + 0.5 * noise[4 * r + 3]),
                            static_cast<float>(0.8 * shared + y_own)};
        moments.add(x, y, 1);
    }
    const detail::CanonicalPairs pairs = detail::canonical_pairs(moments);
    ASSERT_EQ(pairs.correlation.size(), 2);
    // y[1] - E[y_own | y[0]] = 0.8 shared + noise of variance 0.2: r^2 = 0.64 / 0.84, less what the
    // ridge takes.
    EXPECT_LT(pairs.correlation[0], std::sqrt(0.64 / 0.84));
    EXPECT_GT(pairs.correlation[0], 0.8);
    EXPECT_LT(pairs.correlation[1], 0.06);
    EXPECT_TRUE(detail::canonical_pairs(detail::MatchedMoments(2, 0)).correlation.size() == 0);
}

TEST(Smoother, IsSelfAdjointAndKeepsTheMean) {
    constexpr std::int64_t kN = 16;
    detail::Smoother smoother(kN, 0.1, 0.15);
    const std::vector<double> a = draws(2 * kN * kN, 3);
    const std::vector<double> b = draws(2 * kN * kN, 4);
    std::vector<double> smooth_a(a.size());
    std::vector<double> smooth_b(b.size());
    smoother.apply(a.data(), smooth_a.data(), 1);
    smoother.apply(b.data(), smooth_b.data(), 1);
    double left = 0;
    double right = 0;
    double mean = 0;
    double size = 0;
    double smooth_size = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
        left += smooth_a[k] * b[k];
        right += a[k] * smooth_b[k];
        mean += a[k] - smooth_a[k];
        size += a[k] * a[k];
        smooth_size += smooth_a[k] * smooth_a[k];
    }
    EXPECT_NEAR(left, right, 1e-4 * std::sqrt(size * smooth_size));
    EXPECT_NEAR(mean, 0, 1e-3);
    EXPECT_LT(smooth_size, 0.2 * size);
}

detail::VelocityFlow random_flow() {
    detail::VelocityFlow flow;
    flow.steps = 3;
    flow.n = 8;
    flow.x0 = flow.y0 = -1;
    flow.cell = 2.0 / 7;
    flow.velocity = draws(3 * 8 * 8 * 2, 5);
    for (double& v : flow.velocity) v *= 0.1;
    return flow;
}

TEST(VelocityFlow, GradientIsThatOfDifferences) {
    detail::VelocityFlow flow = random_flow();
    detail::Points points(5, 2);
    points << 0.1, 0.2, -0.4, 0.7, 0.55, -0.3, -0.81, -0.63, 1.6, 0.3;  // the last lies outside
    detail::Points towards(5, 2);
    towards << 1, -2, 0.5, 0.3, -1, 1, 2, 0.7, 0.4, -0.9;
    const auto value = [&] { return flow(points).cwiseProduct(towards).sum(); };
    std::vector<double> gradient(flow.velocity.size(), 0.0);
    flow.pull_back(flow.trace(points), towards, gradient);
    constexpr double kStep = 1e-6;
    for (std::size_t k = 0; k < gradient.size(); ++k) {
        const double here = flow.velocity[k];
        flow.velocity[k] = here + kStep;
        const double above = value();
        flow.velocity[k] = here - kStep;
        const double below = value();
        flow.velocity[k] = here;
        EXPECT_NEAR(gradient[k], (above - below) / (2 * kStep), 1e-6) << k;
    }
}

TEST(Match, GradientIsThatOfDifferences) {
    const test::SimulatedPair pair = test::simulate_pair(3);
    const align::SectionRaster sm = test::raster_of(pair.sm);
    const align::SectionRaster st = test::raster_of(pair.st);
    detail::Match match(sm, st);
    ASSERT_TRUE(match.has_content());
    match.pair_content(match.places());
    // Off the cells' borders, where the bilinear slopes jump.
    detail::Points moved = match.places();
    moved.array() += 0.0123;
    detail::Points gradient;
    detail::Points unused;
    match.value(moved, 1, gradient);
    constexpr double kStep = 1e-7;
    int compared = 0;
    for (Eigen::Index r = 0; r < moved.rows(); r += 97)
        for (const int d : {0, 1}) {
            detail::Points shifted = moved;
            shifted(r, d) += kStep;
            const double above = match.value(shifted, 1, unused);
            shifted(r, d) -= 2 * kStep;
            const double below = match.value(shifted, 1, unused);
            const double expected = (above - below) / (2 * kStep);
            EXPECT_NEAR(gradient(r, d), expected, 1e-3 * (1 + std::abs(expected))) << r;
            compared += std::abs(expected) > 0.1;
        }
    EXPECT_GT(compared, 20);
}

/// The sum of all terms, outlines as alpha shapes, by its derivative in random directions.
TEST(Match, ObjectiveWithBordersHasTheGradientOfDifferences) {
    const test::SimulatedPair pair = test::simulate_pair(3);
    const align::RasterOptions options{.outline = align::Outline::AlphaShape};
    const align::SectionRaster sm = test::raster_of(pair.sm, options);
    const align::SectionRaster st = test::raster_of(pair.st, options);
    ASSERT_GT(sm.border.rows(), 20);
    for (const align::PointNorm norm : {align::PointNorm::Euclidean, align::PointNorm::L1}) {
        detail::Match match(sm, st);
        detail::Points marks(2, 2);
        marks << 0.1, 0.2, -0.3, 0.4;
        match.set_landmarks({marks, marks});
        match.weights.landmarks = 100;
        match.compare_borders(norm);
        match.pair_content(match.places());
        detail::Points moved = match.tracked();
        ASSERT_EQ(moved.rows(), match.places().rows() + 2 + sm.border.rows());
        moved.array() += 0.0123;
        detail::Points gradient;
        detail::Points unused;
        match.objective(moved, 1, gradient);
        ASSERT_EQ(gradient.rows(), moved.rows());
        // Border points only: of the places there are too many near a cell's border.
        const std::vector<double> noise = draws(static_cast<std::size_t>(2 * moved.rows()), 6);
        detail::Points along = detail::Points::Zero(moved.rows(), 2);
        for (Eigen::Index r = match.places().rows(); r < moved.rows(); ++r)
            along.row(r) << noise[2 * r], noise[2 * r + 1];
        constexpr double kStep = 1e-8;
        const double slope = (match.objective(moved + kStep * along, 1, unused) -
                              match.objective(moved - kStep * along, 1, unused)) /
                             (2 * kStep);
        const double expected = gradient.cwiseProduct(along).sum();
        EXPECT_GT(std::abs(expected), 1);
        EXPECT_NEAR(slope, expected, 1e-4 * std::abs(expected));
    }
}

TEST(Match, LandmarksPullTheirPoints) {
    const test::SimulatedPair pair = test::simulate_pair(3);
    const align::SectionRaster sm = test::raster_of(pair.sm);
    const align::SectionRaster st = test::raster_of(pair.st);
    detail::Match match(sm, st);
    detail::Points at(2, 2);
    at << 0.1, 0.2, -0.3, 0.4;
    detail::Points to(2, 2);
    to << 0, 0, -0.3, 0.5;
    match.set_landmarks({at, to});
    match.weights.landmarks = 100;
    detail::Points gradient;
    EXPECT_NEAR(match.landmark_value(at, gradient), 50 * (0.05 + 0.01), 1e-12);
    EXPECT_NEAR(gradient(0, 0), 10, 1e-12);
    EXPECT_NEAR(gradient(1, 1), -10, 1e-12);
}

}  // namespace
