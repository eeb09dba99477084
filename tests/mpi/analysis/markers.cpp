#include "smeta/analysis/markers.hpp"

#include <optional>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"

#include "support/support.hpp"
#include "support/synthetic_run.hpp"

namespace smeta::analysis {
namespace {

/// Two samples, the second of which lacks three metabolites; labels r % 4, one sample without.
atlas::Run make_run(const comm::Comm& comm, const std::filesystem::path& path) {
    test::make_atlas(comm, path, {{"b", 90, {}, {}, 3}, {"a", 70}, {"c", 1}});
    comm.root_or_throw([&] {
        const auto run = atlas::Run::create(atlas::ShardedAtlas::open(path), "main",
                                            {{}, "", test::all_features()});
        for (const std::string name : {"a", "b"}) {
            io::AnnData result;
            result.obs = run.open_joint(name).obs();
            std::vector<std::string> domain;
            for (std::int64_t r = 0; r < result.obs.rows(); ++r)
                domain.push_back(r % 10 == 9 ? "none" : std::to_string((r % 3) * 10));
            result.obs.set("domain", domain);
            run.write_result(name, result);
        }
    });
    return atlas::Run::open(comm, atlas::ShardedAtlas::open(comm, path), "main");
}

std::string table(const comm::Comm& comm, const atlas::Run& run, const MarkerOptions& options) {
    const RunValues values(comm, run, run.samples(), FeatureScope::Measured);
    const auto groups = read_groups(comm, run, run.samples(), "domain", {"none"});
    EXPECT_EQ(groups.names, (std::vector<std::string>{"0", "10", "20"}));
    const auto markers = find_markers(comm, values, groups, options);
    if (!comm.is_root()) {
        EXPECT_TRUE(markers.empty());
        return "";
    }
    EXPECT_FALSE(markers.empty());
    return markers_tsv(markers, values, groups, options);
}

class Markers : public ::testing::Test {
  protected:
    void SetUp() override { run_.emplace(make_run(comm_, folder_.path() / "atlas")); }
    comm::Comm comm_ = comm::Comm::world();
    test::TemporaryFolder folder_{comm_};
    std::optional<atlas::Run> run_;
};

TEST_F(Markers, AnyRanksThreadsAndMemoryGiveTheSameTable) {
    const auto alone = comm::Comm::self();
    for (const auto scope : {MarkerScope::AllSamples, MarkerScope::WithinSamples})
        for (const auto& reference :
             {std::optional<std::string>{}, std::optional<std::string>{"10"}})
            for (const auto method : {MarkerMethod::Wilcoxon, MarkerMethod::TTest}) {
                MarkerOptions options{method, scope, reference};
                const auto expected = table(alone, *run_, options);
                core::set_threads(method == MarkerMethod::TTest ? 3 : 1);
                options.memory = reference ? 20'000 : options.memory;  // several panels
                test::on_each_communicator([&](const comm::Comm& comm) {
                    const auto found = table(comm, *run_, options);
                    EXPECT_EQ(found, comm.is_root() ? expected : "");
                });
                core::set_threads(1);
            }
}

TEST_F(Markers, RegressionGivesTheSameTableOnAnyRanks) {
    const auto alone = comm::Comm::self();
    for (const auto scope : {MarkerScope::AllSamples, MarkerScope::WithinSamples}) {
        const MarkerOptions options{MarkerMethod::Logistic, scope};
        const auto expected = table(alone, *run_, options);
        EXPECT_EQ(table(comm_, *run_, options), comm_.is_root() ? expected : "");
    }
    EXPECT_THROW(table(alone, *run_, {MarkerMethod::Logistic, MarkerScope::AllSamples, "10"}),
                 core::ConfigError);
}

TEST_F(Markers, AFeatureIsTestedWhereItWasMeasured) {
    const RunValues values(comm_, *run_, run_->samples(), FeatureScope::Measured);
    EXPECT_EQ(values.features().count(), test::kGenes + test::kMetabolites);
    const auto groups = read_groups(comm_, *run_, run_->samples(), "domain", {"none"});
    for (const auto& marker : find_markers(comm_, values, groups, {})) {
        const bool is_lacking =
            marker.feature >= test::kMetabolites - 3 && marker.feature < test::kMetabolites;
        EXPECT_EQ(marker.spots + marker.rest, is_lacking ? 63 : 63 + 81);
    }
}

TEST_F(Markers, TheNamesOfAFeatureAreOne) {
    comm_.root_or_throw([&] {
        auto features = test::all_features();
        io::Frame& var = features.modalities.front().var;
        var.index.front() = "common";
        std::vector<std::string> others(var.index.size());
        others.front() = "another\nmz_000";
        var.set("other_names", others);
        atlas::Run::create(atlas::ShardedAtlas::open(folder_.path() / "atlas"), "named",
                           {{}, "", features});
    });
    const auto atlas = atlas::ShardedAtlas::open(comm_, folder_.path() / "atlas");
    const auto run = atlas::Run::open(comm_, atlas, "named");
    for (const auto scope : {FeatureScope::Measured, FeatureScope::Selected}) {
        const RunValues values(comm_, run, run.samples(), scope);
        EXPECT_EQ(values.features().count(), test::kGenes + test::kMetabolites);
        const auto feature = values.features().find("sm", "common");
        ASSERT_TRUE(feature);
        EXPECT_FALSE(values.features().find("sm", "mz_000"));
        EXPECT_EQ(values.features().is_measured.col(*feature).minCoeff(), 1);
        std::int64_t entries = 0;
        for (std::int64_t round = 0; round < values.rounds(); ++round)
            for (const auto column : values.read(round, ValueScale::Stored).values.indices)
                entries += column == *feature ? 1 : 0;
        EXPECT_GT(comm_.allreduce(entries), 10);
    }
}

TEST_F(Markers, ErrorsNameWhatIsThere) {
    const RunValues values(comm_, *run_, run_->samples(), FeatureScope::Measured);
    const auto groups = read_groups(comm_, *run_, run_->samples(), "domain");
    MarkerOptions options;
    options.reference = "30";
    EXPECT_THROW(find_markers(comm_, values, groups, options), core::ConfigError);
    options = {};
    options.min_spots = 1000;
    EXPECT_THROW(find_markers(comm_, values, groups, options), core::ConfigError);
    EXPECT_THROW(read_groups(comm_, *run_, run_->samples(), "cluster"), core::ConfigError);
    EXPECT_THROW(chosen_samples(*run_, {"d"}), core::ConfigError);
}

}  // namespace
}  // namespace smeta::analysis
