#include "smeta/analysis/communicate.hpp"

#include <cmath>
#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

#include "support/support.hpp"
#include "support/tissue_run.hpp"

namespace smeta::analysis {
namespace {

class Communicate : public ::testing::Test {
  protected:
    void SetUp() override {
        run_.emplace(test::make_tissue_run(comm_, folder_ / "atlas", {{"b", 60}, {"a", 70}}));
    }
    /// Genes 0 and 1 to gene 2, a complex of 3 and 4 to gene 5, metabolite 6 to gene 0.
    static std::vector<Interaction> interactions(const ValueFeatures& features) {
        const auto gene = [&](const std::string& name) { return *features.find("st", name); };
        return {{InteractionKind::LigandReceptor,
                 "gene_000",
                 "gene_002",
                 "",
                 {gene("gene_000")},
                 {gene("gene_002")}},
                {InteractionKind::LigandReceptor,
                 "gene_003&gene_004",
                 "gene_005",
                 "x",
                 {gene("gene_003"), gene("gene_004")},
                 {gene("gene_005")}},
                {InteractionKind::MetaboliteSensor,
                 "m",
                 "gene_000",
                 "",
                 {*features.find("sm", "mz_006")},
                 {gene("gene_000")}}};
    }
    std::string table(const comm::Comm& comm) const {
        const RunValues values(comm, *run_, run_->samples(), FeatureScope::Measured);
        const auto groups = read_groups(comm, *run_, run_->samples(), "cluster");
        const auto pairs = interactions(values.features());
        const auto signals =
            find_signals(comm, *run_, values, groups, pairs, {.permutations = 60, .seed = 4});
        EXPECT_GT(signals.size(), 9);
        return signals_tsv(signals, pairs, groups);
    }
    comm::Comm comm_ = comm::Comm::world();
    test::TemporaryFolder folder_{comm_};
    std::optional<atlas::Run> run_;
};

TEST_F(Communicate, AnyRanksAndThreadsGiveTheSameTable) {
    const auto expected = table(comm::Comm::self());
    test::on_each_communicator([&](const comm::Comm& comm) {
        core::set_threads(comm.size() == 1 ? 3 : 2);
        EXPECT_EQ(table(comm), expected);
        core::set_threads(1);
    });
}

TEST_F(Communicate, ScoresAreThoseOfTheSpots) {
    const auto alone = comm::Comm::self();
    const RunValues values(alone, *run_, run_->samples(), FeatureScope::Measured);
    const auto groups = read_groups(alone, *run_, run_->samples(), "cluster");
    const auto pairs = interactions(values.features());
    core::MatrixD dense = core::MatrixD::Zero(values.rows(), values.features().count());
    for (std::int64_t round = 0; round < values.rounds(); ++round) {
        const auto block = values.read(round, ValueScale::LogNormalised);
        dense.middleRows(block.first_row, block.values.rows) =
            core::to_dense(block.values.view()).cast<double>();
    }
    const auto mean = [&](std::int32_t feature, std::int32_t group) {
        double sum = 0;
        double count = 0;
        for (std::int64_t r = 0; r < values.rows(); ++r)
            if (groups.codes[r] == group) {
                sum += dense(r, feature);
                count += 1;
            }
        return sum / count;
    };
    const auto lowest_mean = [&](const std::vector<std::int32_t>& parts, std::int32_t group) {
        double low = INFINITY;
        for (const auto part : parts) low = std::min(low, mean(part, group));
        return low;
    };
    for (const auto& s : find_signals(alone, *run_, values, groups, pairs, {.permutations = 5})) {
        const auto& pair = pairs[s.interaction];
        const double a = lowest_mean(pair.sender_parts, s.sender);
        const double b = lowest_mean(pair.receiver_parts, s.receiver);
        EXPECT_NEAR(s.sender_mean, a, 1e-12);
        EXPECT_NEAR(s.score, pair.kind == InteractionKind::LigandReceptor ? (a + b) / 2 : a * b,
                    1e-12);
        EXPECT_GE(s.sender_fraction, 0.1);
    }
}

TEST_F(Communicate, OnlyWhatIsThereIsTested) {
    const RunValues values(comm_, *run_, run_->samples(), FeatureScope::Measured);
    auto groups = read_groups(comm_, *run_, run_->samples(), "cluster");
    const auto pairs = interactions(values.features());
    for (std::size_t r = 0; r < groups.codes.size(); ++r)
        if (groups.codes[r] == 2 && r > 20) groups.codes[r] = -1;  // seven spots remain
    std::set<std::int32_t> seen;
    for (const auto& s : find_signals(comm_, *run_, values, groups, pairs, {.permutations = 3}))
        seen.insert({s.sender, s.receiver});
    EXPECT_EQ(seen, (std::set<std::int32_t>{0, 1}));
    EXPECT_THROW(find_signals(comm_, *run_, values, groups, pairs, {.min_spots = 100}),
                 core::ConfigError);
    EXPECT_THROW(find_signals(comm_, *run_, values, groups, pairs, {.memory = 100}),
                 core::ConfigError);
}

}  // namespace
}  // namespace smeta::analysis
