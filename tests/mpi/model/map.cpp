#include "smeta/model/map.hpp"

#include <gtest/gtest.h>

#include "smeta/atlas/row_source.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/model/model_file.hpp"

#include "support/support.hpp"
#include "support/synthetic_run.hpp"

namespace smeta::model {
namespace {

constexpr std::uint64_t kSeed = 3;

NetworkOptions network() {
    NetworkOptions options;
    options.blocks = {{.name = "sm", .features = test::kMetabolites},
                      {.name = "st",
                       .features = test::kGenes,
                       .likelihood = Likelihood::Zinb,
                       .transform = InputTransform::Log1p,
                       .mean_head = MeanHead::SoftmaxLibrary}};
    options.hidden = {9};
    options.latent = 4;
    options.batch_categories = {2};
    return options;
}

/// A run of the samples a and b, and an atlas with the sample q, which lacks three metabolites, and
/// r, which lacks none.
class Map : public testing::Test {
  protected:
    Map() {
        test::make_atlas(world_, folder_ / "atlas",
                         {{.name = "a", .spots = 300}, {.name = "b", .spots = 40}});
        test::make_atlas(
            world_, folder_ / "other",
            {{.name = "q", .spots = 20, .lacks_last_metabolites = 3}, {.name = "r", .spots = 10}});
        const auto atlas = atlas::ShardedAtlas::open(world_, folder_ / "atlas");
        run_ = std::make_unique<atlas::Run>(atlas::Run::create(
            world_, atlas, "main",
            {.samples = {}, .config_toml = "", .features = test::all_features()}));
        write({std::vector<float>(test::kMetabolites, 80), std::vector<float>(test::kGenes, 1)});
    }

    void write(std::vector<std::vector<float>> means) {
        world_.root_or_throw([&] {
            Cvae<float> cvae(network());
            cvae.initialise(kSeed);
            write_model(run_->model_file(), cvae,
                        {{"sample"}, {{"a", "b"}}, 1e3, std::move(means)});
        });
    }

    MapOutcome map(const std::string& sample, const MapOptions& options) {
        const atlas::QueryFile query(
            world_, *run_,
            {.path = (folder_ / "other").string(), .samples = {sample}, .cohort = {}}, {});
        return map_query(world_, *run_, query, options, timings_);
    }

    comm::Comm world_ = comm::Comm::world();
    test::TemporaryFolder folder_{world_};
    std::unique_ptr<atlas::Run> run_;
    core::Timings timings_;
};

TEST_F(Map, says_what_a_sample_lacks_and_writes_its_latent) {
    const auto outcome = map("q", {.folder = "new", .predict = {"st"}});
    ASSERT_EQ(outcome.samples.size(), 1);
    EXPECT_EQ(outcome.samples[0].coverage.at("sm").measured(), test::kMetabolites - 3);
    EXPECT_EQ(outcome.samples[0].coverage.at("st").measured(), test::kGenes);
    EXPECT_EQ(outcome.samples[0].unseen.at("sample"), std::vector<std::string>{"q"});
    const auto mapped = io::read_h5ad(run_->map_file("new", "q").string());
    EXPECT_EQ(mapped.obsm.at("X_smeta").rows(), 20);
    EXPECT_TRUE(mapped.obsm.at("X_smeta").allFinite());
    ASSERT_EQ(outcome.predictions.size(), 1);
    EXPECT_EQ(outcome.predictions[0].spots, 20);
    EXPECT_EQ(outcome.predictions[0].own.size(), outcome.predictions[0].features.size());
}

TEST_F(Map, a_model_without_training_means_serves_samples_that_measured_all) {
    write({{}, {}});
    EXPECT_EQ(map("r", {.folder = "new"}).samples[0].rows, 10);
    try {
        map("q", {.folder = "new"});
        FAIL();
    } catch (const core::FormatError& error) {
        const std::string text = error.what();
        for (const char* word : {"model.h5", "mean_inputs/0", "'q'", "--from main"})
            EXPECT_NE(text.find(word), std::string::npos) << word << " in " << text;
    }
}

TEST_F(Map, compares_with_rows_that_were_kept_from_training) {
    MapOptions options{.folder = "new", .seed = kSeed, .validation = 0.3};
    const auto held = map("r", options).reference;
    EXPECT_TRUE(held.held_out);
    const atlas::RowSource source(world_, *run_, {{"sm", "st"}, {"sample"}, 1e3});
    const auto set = atlas::RowSet::draw(source, kSeed, 0, 0.3);
    ASSERT_EQ(std::ssize(held.rows), set.rows());
    std::size_t at = 0;
    for (std::size_t s = 0; s < set.shards(); ++s)
        for (std::int64_t n = set.first_number(s); n < set.first_number(s + 1); ++n)
            EXPECT_EQ(held.rows[at++], 300 * set.shard(s).sample + set.row_in_sample(s, n));
    EXPECT_EQ(held.fit.at("sm").size(), held.rows.size());
    EXPECT_EQ(held.fit.at("st").size(), held.rows.size());

    options.least_held_out = set.rows() + 1;
    const auto trained = map("r", options).reference;
    EXPECT_FALSE(trained.held_out);
    EXPECT_EQ(trained.rows.size(), 340);
    // The same row has the same fit in both.
    EXPECT_EQ(trained.fit.at("st")[held.rows[5]], held.fit.at("st")[5]);
}

}  // namespace
}  // namespace smeta::model
