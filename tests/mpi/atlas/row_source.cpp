#include "smeta/atlas/row_source.hpp"

#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "smeta/atlas/batch_stream.hpp"
#include "smeta/comm/spot_partition.hpp"
#include "smeta/core/error.hpp"

#include "support/support.hpp"
#include "support/synthetic_run.hpp"

namespace smeta::atlas {
namespace {

constexpr std::int32_t kMissing = 3;

class RowSourceTest : public testing::Test {
  protected:
    RowSourceTest() {
        test::make_atlas(world_, folder_ / "atlas",
                         {{.name = "c", .spots = 40, .lacks_last_metabolites = kMissing},
                          {.name = "a", .spots = 55, .without_st = {4}, .without_sm = {7, 8}}});
        const auto atlas = ShardedAtlas::open(world_, folder_ / "atlas");
        run_ = std::make_unique<atlas::Run>(atlas::Run::create(
            world_, atlas, "main",
            {.samples = {}, .config_toml = "", .features = test::all_features()}));
    }
    RowSource source(double sm_target = 1e3) const {
        return {world_, *run_, {{"sm", "st"}, {"sample"}, sm_target}};
    }

    comm::Comm world_ = comm::Comm::world();
    test::TemporaryFolder folder_{world_};
    std::unique_ptr<atlas::Run> run_;
};

TEST_F(RowSourceTest, ScalesIntensitiesByTheMeasuredShareAndKeepsCounts) {
    const RowSource scaled = source();
    EXPECT_EQ(scaled.samples(), (std::vector<std::string>{"a", "c"}));
    EXPECT_EQ(scaled.features(), (std::vector<std::int32_t>{test::kMetabolites, test::kGenes}));
    EXPECT_EQ(scaled.categories(), (std::vector<std::vector<std::string>>{{"a", "c"}}));
    const RowBatch a = scaled.read(0, 0, 55);
    const RowBatch c = scaled.read(1, 10, 20);
    const auto sums_a = core::row_sums(a.modalities[0]);
    for (std::int64_t row = 0; row < 55; ++row)
        EXPECT_NEAR(sums_a[row], row == 7 || row == 8 ? 0 : 1e3, 1e-3);
    const double share = static_cast<double>(test::kMetabolites - kMissing) / test::kMetabolites;
    for (const double sum : core::row_sums(c.modalities[0])) EXPECT_NEAR(sum, 1e3 * share, 1e-3);
    EXPECT_EQ(core::row_sums(a.modalities[1])[4], 0);
    EXPECT_EQ(c.codes, std::vector<std::int32_t>(10, 1));
    EXPECT_EQ(c.keys[0], (core::RowKey{core::sample_key("c"), 10}));
    EXPECT_TRUE(scaled.measured(0, 0).empty());
    const auto& mask = scaled.measured(1, 0);
    ASSERT_EQ(mask.size(), static_cast<std::size_t>(test::kMetabolites));
    EXPECT_EQ(std::count(mask.begin(), mask.end(), 0), kMissing);

    const RowBatch raw = source(0).read(0, 0, 55);
    const test::SyntheticSample sample{
        .name = "a", .spots = 55, .without_st = {4}, .without_sm = {7, 8}};
    const auto written = test::synthetic_sample(sample, "cohort");
    EXPECT_EQ(raw.modalities[0], std::get<core::CountsCsr>(*written.find("sm")->x));
    EXPECT_EQ(raw.modalities[1], std::get<core::CountsCsr>(*written.find("st")->x));
}

TEST_F(RowSourceTest, ValidationAndTrainingRowsAreEveryRowOnce) {
    const RowSource rows = source();
    const RowSet validation = RowSet::draw(rows, 3, 0, 0.3);
    const RowSet training = RowSet::draw(rows, 3, 0.3, 1);
    EXPECT_GT(validation.rows(), 10);
    EXPECT_EQ(validation.rows() + training.rows(), 95);
    std::set<std::pair<std::int32_t, std::int64_t>> seen;
    for (const RowSet* set : {&validation, &training})
        for (std::size_t s = 0; s < set->shards(); ++s)
            for (std::int64_t i = 0; i < set->shard_rows()[s]; ++i)
                EXPECT_TRUE(seen.insert({set->shard(s).sample,
                                         set->row_in_sample(s, set->first_number(s) + i)})
                                .second);
    EXPECT_EQ(seen.size(), 95U);
}

TEST_F(RowSourceTest, StreamsGiveEveryRowOnceAnEpoch) {
    const RowSource rows = source();
    const RowSet training = RowSet::draw(rows, 3, 0.3, 1);
    const BatchPlan plan({3, 8, 64}, training.shard_rows());
    const comm::SpotPartition partition(8, world_.size(), plan.lane_rows());
    const comm::Range lanes = partition.lanes_of(world_.rank());
    BatchStream stream(rows, training, plan, lanes);
    BatchStream streamed(rows, training, plan, lanes,
                         {.place = RowPlace::Scratch, .scratch = folder_.path()});
    stream.load();
    streamed.load();
    stream.begin_epoch(2);
    streamed.begin_epoch(2);
    for (std::size_t m = 0; m < 2; ++m) EXPECT_EQ(stream.rows_without(m), streamed.rows_without(m));
    std::vector<core::RowKey> mine;
    int fetches = 0;
    for (std::int64_t step = 0; step < plan.steps(); ++step) {
        EXPECT_FALSE(stream.needs_fetch(step));
        if (streamed.needs_fetch(step)) {
            streamed.fetch(step);
            ++fetches;
        }
        for (std::int64_t lane = lanes.first; lane < lanes.last; ++lane) {
            const RowBatch batch = stream.batch(static_cast<int>(lane), step);
            const RowBatch other = streamed.batch(static_cast<int>(lane), step);
            EXPECT_EQ(batch.keys, other.keys);
            EXPECT_EQ(batch.samples, other.samples);
            EXPECT_EQ(batch.codes, other.codes);
            EXPECT_EQ(batch.modalities, other.modalities);
            for (std::int64_t row = 0; row < batch.rows(); ++row) {
                const auto index = static_cast<std::int64_t>(batch.keys[row].row);
                const RowBatch direct = rows.read(batch.samples[row], index, index + 1);
                EXPECT_EQ(core::select_rows(batch.modalities[1], {{row}}), direct.modalities[1]);
                mine.push_back(batch.keys[row]);
            }
        }
    }
    EXPECT_GT(fetches, 0);
    std::set<std::pair<std::uint64_t, std::uint64_t>> all;
    std::size_t count = 0;
    for (const auto& part : world_.allgather(std::span<const core::RowKey>(mine)))
        for (const auto& key : part) {
            all.insert({key.sample, key.row});
            ++count;
        }
    EXPECT_EQ(count, static_cast<std::size_t>(training.rows()));
    EXPECT_EQ(all.size(), count);
}

TEST_F(RowSourceTest, MeanInputsAreThoseOfTheRowsThatMeasured) {
    const RowSource rows = source();
    const RowSet training = RowSet::draw(rows, 3, 0, 1);
    const BatchPlan plan({3, 8, 64}, training.shard_rows());
    const comm::SpotPartition partition(8, world_.size(), plan.lane_rows());
    BatchStream stream(rows, training, plan, partition.lanes_of(world_.rank()));
    stream.load();
    const auto means = mean_inputs(world_, rows, stream, plan, {true, true});
    ASSERT_EQ(means[0].size(), static_cast<std::size_t>(test::kMetabolites));
    ASSERT_EQ(means[1].size(), static_cast<std::size_t>(test::kGenes));
    const core::MatrixF genes_a = core::to_dense(rows.read(0, 0, 55).modalities[1]);
    const core::MatrixF genes_c = core::to_dense(rows.read(1, 0, 40).modalities[1]);
    // Every sample measured every gene, in all rows but one of a.
    for (std::int32_t f = 0; f < test::kGenes; ++f) {
        double sum = 0;
        for (const core::MatrixF* genes : {&genes_a, &genes_c})
            for (std::int64_t row = 0; row < genes->rows(); ++row)
                sum += std::log1p((*genes)(row, f));
        EXPECT_NEAR(means[1][f], sum / 94, 1e-5);
    }
    const core::MatrixF a = core::to_dense(rows.read(0, 0, 55).modalities[0]);
    // The last metabolites: only sample a measured them, in its 53 rows with intensities.
    for (std::int32_t f = test::kMetabolites - kMissing; f < test::kMetabolites; ++f) {
        double sum = 0;
        for (std::int64_t row = 0; row < 55; ++row) sum += std::log1p(a(row, f));
        EXPECT_NEAR(means[0][f], sum / 53, 1e-5);
    }
    const comm::Comm self = comm::Comm::self();
    const comm::SpotPartition whole(8, 1, plan.lane_rows());
    BatchStream alone(rows, training, plan, whole.lanes_of(0));
    alone.load();
    EXPECT_EQ(mean_inputs(self, rows, alone, plan, {true, true}), means);
    BatchStream streamed(rows, training, plan, whole.lanes_of(0),
                         {.place = RowPlace::Scratch, .scratch = folder_.path()});
    streamed.load();
    EXPECT_EQ(mean_inputs(self, rows, streamed, plan, {true, true}), means);
}

TEST_F(RowSourceTest, UnknownBatchKeyIsTheUsersError) {
    EXPECT_THROW(RowSource(world_, *run_, {{"sm", "st"}, {"platform"}, 1e3}), core::Error);
}

}  // namespace
}  // namespace smeta::atlas
