#include "smeta/analysis/trajectory.hpp"

#include <cmath>
#include <optional>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/stats/correlation.hpp"
#include "smeta/stats/tests.hpp"

#include "support/support.hpp"
#include "support/tissue_run.hpp"

namespace smeta::analysis {
namespace {

/// Spots of sample a lie at (row % 10, row / 10), 12 rows of them.
class Trajectories : public ::testing::Test {
  protected:
    void SetUp() override {
        run_.emplace(test::make_tissue_run(comm_, folder_ / "atlas", {{"b", 30}, {"a", 120}}));
        line_.resize(3, 2);
        line_ << 1, 2, 7, 2, 7, 9;
    }
    Trajectory follow(const comm::Comm& comm, double width) const {
        return follow_path(comm, *run_, "p", "a", line_, width);
    }
    std::string tables(const comm::Comm& comm, std::int64_t memory) const {
        const auto trajectory = follow(comm, 1.2);
        const RunValues values(comm, *run_, {"a"}, FeatureScope::Measured);
        const PathGradients path{trajectory, values.features(),
                                 find_gradients(comm, values, trajectory, {4, memory})};
        EXPECT_EQ(path.gradients.empty(), !comm.is_root());
        return gradients_tsv({path}) + curves_tsv({path}, 4, 3);
    }
    comm::Comm comm_ = comm::Comm::world();
    test::TemporaryFolder folder_{comm_};
    std::optional<atlas::Run> run_;
    core::MatrixD line_;
};

TEST_F(Trajectories, SpotsWithinAWidthAndBetweenTheEnds) {
    const auto trajectory = follow(comm_, 1.2);
    EXPECT_EQ(trajectory.length, 13);
    // Below and above the first leg x 1 ... 8 and 1 ... 6 besides the leg itself; then both sides
    // of the second leg.
    std::int64_t expected = 0;
    for (int row = 0; row < 120; ++row) {
        const double x = row % 10;
        const double y = row / 10;
        const bool is_first = x >= 1 && x <= 7 && std::abs(y - 2) <= 1.2;
        const bool is_second = y >= 2 && y <= 9 && std::abs(x - 7) <= 1.2;
        EXPECT_EQ(!std::isnan(trajectory.along[row]), is_first || is_second) << row;
        EXPECT_EQ(std::isnan(trajectory.along[row]), std::isnan(trajectory.distance[row]));
        expected += is_first || is_second ? 1 : 0;
    }
    EXPECT_EQ(trajectory.spots(), expected);
    EXPECT_EQ(trajectory.along[10 + 4], 3);
    EXPECT_EQ(trajectory.distance[10 + 4], 1);
    EXPECT_EQ(trajectory.along[80 + 8], 12);
    // Twice the spacing, which is 1.
    EXPECT_EQ(follow(comm_, 0).width, 2);
    EXPECT_ANY_THROW(follow_path(comm_, *run_, "p", "a", line_.array() + 500, 1));
}

TEST_F(Trajectories, AnyRanksThreadsAndMemoryGiveTheSameTables) {
    const auto expected = tables(comm::Comm::self(), std::int64_t{1} << 30U);
    test::on_each_communicator([&](const comm::Comm& comm) {
        core::set_threads(comm.size() == 1 ? 3 : 1);
        const auto found = tables(comm, comm.size() == 2 ? 5'000 : std::int64_t{1} << 30U);
        EXPECT_EQ(comm.is_root() ? found : expected, expected);
        core::set_threads(1);
    });
}

TEST_F(Trajectories, GradientsAreThoseOfTheSpots) {
    const auto alone = comm::Comm::self();
    const auto trajectory = follow(alone, 1.2);
    const RunValues values(alone, *run_, {"a"}, FeatureScope::Measured);
    const auto gradients = find_gradients(alone, values, trajectory, {2, 1 << 20});
    EXPECT_EQ(gradients.size(), test::kGenes + test::kMetabolites);
    core::MatrixD dense = core::MatrixD::Zero(values.rows(), values.features().count());
    for (std::int64_t round = 0; round < values.rounds(); ++round) {
        const auto block = values.read(round, ValueScale::LogNormalised);
        dense.middleRows(block.first_row, block.values.rows) =
            core::to_dense(block.values.view()).cast<double>();
    }
    for (const auto& gradient : gradients) {
        std::vector<double> x;
        std::vector<double> y;
        for (std::size_t r = 0; r < trajectory.along.size(); ++r)
            if (!std::isnan(trajectory.along[r])) {
                x.push_back(trajectory.along[r]);
                y.push_back(dense(static_cast<Eigen::Index>(r), gradient.feature));
            }
        const auto n = static_cast<std::int64_t>(x.size());
        const double rho = stats::pearson(stats::midranks(x), stats::midranks(y));
        EXPECT_NEAR(gradient.rho, rho, 1e-12);
        EXPECT_NEAR(gradient.rho_p_value, stats::pearson_p_value(rho, n), 1e-12);
        // Two knots are a straight line: F of its slope is t squared of Pearson's r.
        const double r = stats::pearson(x, y);
        EXPECT_NEAR(gradient.r_squared, r * r, 1e-9);
        EXPECT_NEAR(gradient.p_value, stats::pearson_p_value(r, n), 1e-9);
    }
}

TEST_F(Trajectories, IsStoredWithTheSample) {
    const auto trajectory = follow(comm_, 1.2);
    store_trajectory(comm_, *run_, trajectory);
    comm_.barrier();
    const auto obs = run_->read_result("a").obs;
    const auto stored = obs.as_number("position_p", "a");
    for (std::size_t r = 0; r < stored.size(); ++r)
        EXPECT_TRUE(stored[r] == trajectory.along[r] ||
                    (std::isnan(stored[r]) && std::isnan(trajectory.along[r])));
    EXPECT_NE(obs.find("distance_p"), nullptr);
    EXPECT_EQ(run_->read_result("b").obs.find("position_p"), nullptr);
}

}  // namespace
}  // namespace smeta::analysis
