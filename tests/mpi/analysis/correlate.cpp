#include "smeta/analysis/correlate.hpp"

#include <cmath>
#include <optional>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/stats/tests.hpp"

#include "support/support.hpp"
#include "support/synthetic_run.hpp"

namespace smeta::analysis {
namespace {

class Correlate : public ::testing::Test {
  protected:
    void SetUp() override {
        test::make_atlas(comm_, folder_ / "atlas", {{"b", 83, {}, {}, 3}, {"a", 70}, {"c", 11}});
        comm_.root_or_throw([&] {
            atlas::Run::create(atlas::ShardedAtlas::open(folder_ / "atlas"), "main",
                               {{}, "", test::all_features()});
        });
        run_.emplace(atlas::Run::open(atlas::ShardedAtlas::open(folder_ / "atlas"), "main"));
    }
    comm::Comm comm_ = comm::Comm::world();
    test::TemporaryFolder folder_{comm_};
    std::optional<atlas::Run> run_;
};

TEST_F(Correlate, IsPearsonsOnAnyRanksAndThreads) {
    const CorrelateOptions options{.top = 100};
    const auto alone = comm::Comm::self();
    const RunValues values(alone, *run_, run_->samples(), FeatureScope::Selected);
    const auto groups = read_groups(alone, *run_, run_->samples(), "sample");
    const auto expected = correlate(alone, *run_, values, groups, options);
    EXPECT_EQ(expected.metabolites, test::kMetabolites - 3);
    EXPECT_EQ(expected.genes, test::kGenes);
    const auto text = correlations_tsv(expected, values, groups);

    // All values, row after row.
    core::MatrixD dense = core::MatrixD::Zero(values.rows(), values.features().count());
    for (std::int64_t round = 0; round < values.rounds(); ++round) {
        const auto block = values.read(round, ValueScale::LogNormalised);
        dense.middleRows(block.first_row, block.values.rows) =
            core::to_dense(block.values.view()).cast<double>();
    }
    for (const auto& pair : expected.pairs) {
        std::vector<double> x;
        std::vector<double> y;
        for (std::int64_t r = 0; r < values.rows(); ++r)
            if (pair.group < 0 || groups.codes[r] == pair.group) {
                x.push_back(dense(r, pair.gene));
                y.push_back(dense(r, pair.metabolite));
            }
        EXPECT_EQ(pair.spots, static_cast<std::int64_t>(x.size()));
        EXPECT_NEAR(pair.r, stats::pearson(x, y), 1e-9);
        EXPECT_FALSE(std::isnan(pair.lagged_r));
    }
    for (const int threads : {1, 3}) {
        core::set_threads(threads);
        test::on_each_communicator([&](const comm::Comm& comm) {
            const RunValues shared(comm, *run_, run_->samples(), FeatureScope::Selected);
            const auto found = correlate(comm, *run_, shared, groups, options);
            if (comm.is_root()) {
                EXPECT_EQ(correlations_tsv(found, shared, groups), text);
            } else {
                EXPECT_TRUE(found.pairs.empty());
            }
        });
    }
    core::set_threads(1);
}

TEST_F(Correlate, SaysWhatItNeeds) {
    const RunValues values(comm_, *run_, run_->samples(), FeatureScope::Selected);
    const auto groups = read_groups(comm_, *run_, run_->samples(), "sample");
    EXPECT_THROW(correlate(comm_, *run_, values, groups, {.memory = 1000}), core::ConfigError);
}

}  // namespace
}  // namespace smeta::analysis
