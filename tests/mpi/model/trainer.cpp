#include "smeta/model/trainer.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/model/embed.hpp"

#include "support/support.hpp"
#include "support/synthetic_run.hpp"

namespace smeta::model {
namespace {

const std::vector<test::SyntheticSample> kSamples = {
    {.name = "a", .spots = 90, .without_st = {4}, .without_sm = {7, 8}},
    {.name = "b", .spots = 1},
    {.name = "c", .spots = 113, .lacks_last_metabolites = 3}};

TrainerOptions small_options(Reduction reduction) {
    TrainerOptions options;
    options.model.hidden = {16};
    options.model.latent = 4;
    options.train.epochs = 3;
    options.train.batch_size = 64;
    options.train.reduction = reduction;
    options.train.checkpoint_minutes = 0;
    options.seed = 5;
    options.identity = "train.epochs = 3\n";
    return options;
}

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<double> epoch_losses(const std::filesystem::path& metrics) {
    std::vector<double> losses;
    std::ifstream file(metrics);
    for (std::string line; std::getline(file, line);)
        losses.push_back(nlohmann::json::parse(line)["loss"]["total"]);
    return losses;
}

atlas::Run open_run(const comm::Comm& comm, const std::filesystem::path& path,
                    const std::string& name) {
    const auto atlas = atlas::ShardedAtlas::open(comm, path);
    comm.root_or_throw([&] {
        if (!atlas::Run::exists(atlas, name))
            atlas::Run::create(
                atlas, name, {.samples = {}, .config_toml = "", .features = test::all_features()});
    });
    return atlas::Run::open(comm, atlas, name);
}

struct Trained {
    TrainOutcome outcome = TrainOutcome::Finished;
    std::string model;
    std::vector<double> losses;
};

// Trains run `name` of the atlas on `comm` (again: goes on). Collective.
Trained train(const comm::Comm& comm, const std::filesystem::path& path, const std::string& name,
              const TrainerOptions& options) {
    const atlas::Run run = open_run(comm, path, name);
    core::Timings timings;
    Trainer trainer(comm, run, options, timings);
    Trained result;
    result.outcome = trainer.train();
    comm.barrier();
    result.model = read(run.model_file());
    result.losses = epoch_losses(run.metrics_file());
    return result;
}

// The same, on the root of `comm` alone, in a run of its own; the others wait.
Trained train_alone(const comm::Comm& comm, const std::filesystem::path& path,
                    const std::string& name, const TrainerOptions& options) {
    Trained result;
    const comm::Comm self = comm::Comm::self();
    comm.root_or_throw([&] { result = train(self, path, name, options); });
    return result;
}

class TrainerTest : public testing::Test {
  protected:
    comm::Comm world_ = comm::Comm::world();
    test::TemporaryFolder folder_{world_};
    std::filesystem::path path_ = folder_ / "atlas";

    void make(const std::vector<test::SyntheticSample>& samples) {
        test::make_atlas(world_, path_, samples);
    }
};

TEST_F(TrainerTest, FixedTreeGivesTheBitsOfOneRank) {
    make(kSamples);
    const TrainerOptions options = small_options(Reduction::FixedTree);
    const Trained alone = train_alone(world_, path_, "alone", options);
    const Trained here = train(world_, path_, "here", options);
    if (!world_.is_root()) return;
    EXPECT_EQ(here.outcome, TrainOutcome::Finished);
    EXPECT_GT(here.model.size(), 1000U);
    EXPECT_TRUE(here.model == alone.model);
    EXPECT_EQ(here.losses, alone.losses);
    EXPECT_EQ(here.losses.size(), 3U);
}

TEST_F(TrainerTest, FixedTreeGivesTheBitsOfOneThread) {
    if (world_.size() > 1) return;  // ranks times threads would wait for each other
    make(kSamples);
    const TrainerOptions options = small_options(Reduction::FixedTree);
    const Trained one = train(world_, path_, "one", options);
    core::set_threads(2);
    const Trained two = train(world_, path_, "two", options);
    core::set_threads(1);
    if (world_.is_root()) {
        EXPECT_TRUE(one.model == two.model);
    }
}

TEST_F(TrainerTest, FastAgreesToRounding) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::Fast);
    options.train.epochs = 5;
    const Trained alone = train_alone(world_, path_, "alone", options);
    core::set_threads(world_.size() == 1 ? 2 : 1);
    const Trained here = train(world_, path_, "here", options);
    core::set_threads(1);
    if (!world_.is_root()) return;
    ASSERT_EQ(here.losses.size(), 5U);
    for (std::size_t e = 0; e < 5; ++e)
        EXPECT_NEAR(here.losses[e], alone.losses[e], 1e-4 * std::abs(alone.losses[e]));
    EXPECT_LT(here.losses.back(), here.losses.front());
}

TEST_F(TrainerTest, ResumingGivesTheBitsOfAStraightRun) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::FixedTree);
    const Trained straight = train_alone(world_, path_, "straight", options);
    // Stops in the middle of every epoch, on a signal that only the last rank sees.
    int asked = 0;
    TrainerOptions interrupted = options;
    interrupted.stop_requested = [&] {
        return world_.rank() == world_.size() - 1 && ++asked % 2 == 0;
    };
    Trained last;
    int starts = 0;
    do {
        // Every other start is on one rank.
        if (starts % 2 == 0) {
            last = train(world_, path_, "broken", interrupted);
        } else {
            asked = 0;
            const comm::Comm self = comm::Comm::self();
            TrainerOptions alone = options;
            int steps = 0;
            alone.stop_requested = [&] { return ++steps == 1; };
            world_.root_or_throw([&] { last = train(self, path_, "broken", alone); });
            world_.broadcast(last.outcome);
        }
        ++starts;
    } while (last.outcome == TrainOutcome::StoppedAtCheckpoint && starts < 100);
    EXPECT_GT(starts, 3);
    if (!world_.is_root()) return;
    EXPECT_TRUE(read(path_ / "runs" / "broken" / "model.h5") == straight.model);
    EXPECT_EQ(epoch_losses(path_ / "runs" / "broken" / "metrics.jsonl"), straight.losses);
}

TEST_F(TrainerTest, StreamingGivesTheBitsOfMemory) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::FixedTree);
    options.train.validation = 0.2;
    const Trained memory = train_alone(world_, path_, "memory", options);
    options.rows = atlas::RowPlace::Scratch;
    const Trained streamed = train(world_, path_, "streamed", options);
    // Stopped after every step, it begins again inside a window; every other start is in memory.
    TrainerOptions interrupted = options;
    interrupted.stop_requested = [] { return true; };
    Trained broken;
    int starts = 0;
    do {
        interrupted.rows = starts % 2 == 0 ? atlas::RowPlace::Scratch : atlas::RowPlace::Memory;
        broken = train(world_, path_, "broken", interrupted);
    } while (broken.outcome == TrainOutcome::StoppedAtCheckpoint && ++starts < 100);
    EXPECT_GT(starts, 6);
    if (!world_.is_root()) return;
    EXPECT_EQ(streamed.losses, memory.losses);
    EXPECT_TRUE(streamed.model == memory.model);
    EXPECT_EQ(broken.losses, memory.losses);
    EXPECT_TRUE(broken.model == memory.model);
    // The scratch file has no name.
    for (const auto& entry : std::filesystem::directory_iterator(path_ / "runs" / "streamed"))
        EXPECT_EQ(entry.path().filename().string().find("rows."), std::string::npos);
}

TEST_F(TrainerTest, AScratchFolderThatIsNotThereIsTheUsersError) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::Fast);
    options.rows = atlas::RowPlace::Scratch;
    options.train.scratch = (folder_ / "nowhere").string();
    EXPECT_THROW(train(world_, path_, "run", options), core::Error);
}

TEST_F(TrainerTest, MoreEpochsGoOnWhereTheRunEnded) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::FixedTree);
    const auto set = [&options](int epochs) {
        options.train.epochs = epochs;
        options.identity = "train.epochs = " + std::to_string(epochs) + "\n";
        options.config_toml = "[train]\nepochs = " + std::to_string(epochs) + "\n";
    };
    const auto config = [&] {
        world_.barrier();
        return read(path_ / "runs" / "run" / "config.toml");
    };
    set(3);
    train(world_, path_, "run", options);
    EXPECT_EQ(config(), "[train]\nepochs = 3\n");
    set(5);
    const Trained longer = train(world_, path_, "run", options);
    if (world_.is_root()) {
        EXPECT_EQ(longer.losses.size(), 5U);
    }
    EXPECT_EQ(config(), "[train]\nepochs = 5\n");
    set(4);
    EXPECT_THROW(train(world_, path_, "run", options), core::Error);
    EXPECT_EQ(config(), "[train]\nepochs = 5\n") << "of a start that was refused";
}

TEST_F(TrainerTest, ACollapsedLatentIsReported) {
    if (world_.size() > 1) return;  // every rank has the same losses
    make(kSamples);
    for (const double kl : {1e5, 1e-3}) {
        TrainerOptions options = small_options(Reduction::Fast);
        options.model.modalities = {"st"};
        options.train.epochs = 40;
        options.train.learning_rate = 0.01;
        options.train.checkpoint_minutes = 10;
        options.loss.kl = kl;
        const atlas::Run run = open_run(world_, path_, std::to_string(kl));
        core::Timings timings;
        Trainer first(world_, run, options, timings);
        first.train();
        EXPECT_EQ(first.warning().find("loss.kl=10000 --fresh") != std::string::npos, kl > 1)
            << first.warning();
        EXPECT_EQ(first.warning().empty(), kl < 1);
        Trainer again(world_, run, options, timings);
        EXPECT_EQ(again.train(), TrainOutcome::NothingToDo);
        world_.root_or_throw([&] { std::filesystem::remove(run.model_file()); });
        Trainer model_lost(world_, run, options, timings);
        EXPECT_EQ(model_lost.train(), TrainOutcome::Finished);
        world_.barrier();
        EXPECT_TRUE(std::filesystem::exists(run.model_file()));
    }
}

TEST_F(TrainerTest, OrderOfListingDoesNotMatter) {
    make(kSamples);
    const std::filesystem::path other = folder_ / "other";
    test::make_atlas(world_, other, {kSamples[2], kSamples[0], kSamples[1]});
    const TrainerOptions options = small_options(Reduction::FixedTree);
    const Trained one = train(world_, path_, "run", options);
    const Trained two = train(world_, other, "run", options);
    if (world_.is_root()) {
        EXPECT_TRUE(one.model == two.model);
    }
}

TEST_F(TrainerTest, OddInputsTrainAndEmbedToFiniteNumbers) {
    // Fewer rows than lanes; a section, and so a batch category, of one spot; rows without counts
    // or intensities; a spot without anything.
    make({{.name = "a", .spots = 4, .without_st = {1, 3}, .without_sm = {2, 3}},
          {.name = "one", .spots = 1}});
    for (const Reduction reduction : {Reduction::Fast, Reduction::FixedTree}) {
        const std::string name = reduction == Reduction::Fast ? "fast" : "tree";
        const Trained trained = train(world_, path_, name, small_options(reduction));
        for (const double loss : trained.losses) EXPECT_TRUE(std::isfinite(loss));
        const atlas::Run run = open_run(world_, path_, name);
        core::Timings timings;
        embed(world_, run, Reconstruction::Write, timings);
        world_.barrier();
        for (const auto& sample : run.samples()) {
            const io::AnnData result = run.read_result(sample);
            for (const auto& [key, values] : result.obsm)
                EXPECT_TRUE(values.allFinite()) << sample << " " << key;
            EXPECT_TRUE(io::to_dense(*run.read_reconstruction(sample).x).allFinite());
        }
    }
}

TEST_F(TrainerTest, ResultsDoNotDependOnRanks) {
    make(kSamples);
    const TrainerOptions options = small_options(Reduction::FixedTree);
    train(world_, path_, "run", options);
    const atlas::Run run = open_run(world_, path_, "run");
    core::Timings timings;
    embed(world_, run, Reconstruction::Write, timings);
    std::map<std::string, std::string> together;
    for (const auto& sample : run.samples())
        together[sample] = read(run.result_file(sample)) + read(run.reconstruction_file(sample));
    world_.barrier();
    const comm::Comm self = comm::Comm::self();
    core::set_threads(world_.size() == 1 ? 2 : 1);
    world_.root_or_throw([&] {
        for (const auto& sample : run.samples()) {
            std::filesystem::remove(run.result_file(sample));
            std::filesystem::remove(run.reconstruction_file(sample));
        }
    });
    world_.root_or_throw([&] { embed(self, run, Reconstruction::Write, timings); });
    core::set_threads(1);
    for (const auto& sample : run.samples())
        EXPECT_TRUE(together[sample] ==
                    read(run.result_file(sample)) + read(run.reconstruction_file(sample)));
    const io::AnnData result = run.read_result("c");
    EXPECT_EQ(result.obs.rows(), 113);
    EXPECT_FALSE(result.x.has_value());
    EXPECT_EQ(result.obsm.at("X_smeta").cols(), 4);
    for (const char* key : {"X_smeta_sd", "X_smeta_sm", "X_smeta_st", "spatial"})
        EXPECT_TRUE(result.obsm.contains(key)) << key;
    EXPECT_NE(result.obs.find("contribution_st"), nullptr);
}

TEST_F(TrainerTest, ResultsOfTheModelStand) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::FixedTree);
    train(world_, path_, "run", options);
    const atlas::Run run = open_run(world_, path_, "run");
    core::Timings timings;
    EXPECT_EQ(embed(world_, run, Reconstruction::Skip, timings), 3);
    world_.root_or_throw([&] {
        run.update_result("a", [](io::AnnData& result) {
            result.obs.set("mine", std::vector<double>(result.obs.rows(), 1.0));
        });
    });
    const auto column = [&] {
        world_.barrier();
        return run.read_result("a").obs.find("mine") != nullptr;
    };
    EXPECT_EQ(embed(world_, run, Reconstruction::Skip, timings), 0);
    EXPECT_TRUE(column());
    EXPECT_EQ(embed(world_, run, Reconstruction::Write, timings), 3);
    EXPECT_TRUE(column()) << "only the reconstruction was missing";
    EXPECT_EQ(embed(world_, run, Reconstruction::Write, timings), 0);
    // One sample's file is gone, one is damaged: they alone are written.
    world_.root_or_throw([&] {
        std::filesystem::remove(run.result_file("b"));
        std::filesystem::resize_file(run.reconstruction_file("c"), 700);
    });
    EXPECT_EQ(embed(world_, run, Reconstruction::Write, timings), 2);
    EXPECT_TRUE(column());
    // Another model.
    const std::string before = read(run.result_file("b"));
    world_.barrier();
    options.train.epochs = 4;
    options.identity = "train.epochs = 4\n";
    train(world_, path_, "run", options);
    EXPECT_EQ(embed(world_, run, Reconstruction::Write, timings), 3);
    EXPECT_FALSE(column());
    EXPECT_TRUE(read(run.result_file("b")) != before);
}

TEST_F(TrainerTest, EarlyStoppingKeepsTheBestWeights) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::FixedTree);
    options.train.validation = 0.25;
    options.train.patience = 2;
    options.train.learning_rate = 0.2;  // overshoots soon
    options.train.epochs = 40;
    const Trained alone = train_alone(world_, path_, "alone", options);
    const Trained here = train(world_, path_, "here", options);
    if (!world_.is_root()) return;
    EXPECT_LT(here.losses.size(), 40U);
    EXPECT_EQ(here.losses, alone.losses);
    EXPECT_TRUE(here.model == alone.model);
}

TEST_F(TrainerTest, NumbersThatAreNotFiniteStopEveryRank) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::Fast);
    options.train.learning_rate = 1e30;
    try {
        train(world_, path_, "run", options);
        FAIL() << "training went on";
    } catch (const core::NumericError& error) {
        EXPECT_NE(std::string(error.what()).find("epoch"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("sample"), std::string::npos);
        EXPECT_EQ(error.exit_code(), core::kExitInternal);
    }
}

TEST_F(TrainerTest, RefusesWhatCannotWork) {
    make(kSamples);
    TrainerOptions options = small_options(Reduction::Fast);
    options.train.patience = 3;
    EXPECT_THROW(train(world_, path_, "run", options), core::ConfigError);
    options = small_options(Reduction::Fast);
    options.model.batch_keys = {"platform"};
    EXPECT_THROW(train(world_, path_, "run", options), core::Error);
    options = small_options(Reduction::Fast);
    options.train.lanes = 16;
    EXPECT_THROW(train(world_, path_, "run", options), core::ConfigError);
    if (world_.size() > 1) {
        options.train.lanes = 1;
        EXPECT_THROW(train(world_, path_, "run", options), core::ConfigError);
    }
}

TEST_F(TrainerTest, OneModalityTrains) {
    make(kSamples);
    for (const char* modality : {"st", "sm"}) {
        TrainerOptions options = small_options(Reduction::FixedTree);
        options.model.modalities = {modality};
        const Trained here = train(world_, path_, modality, options);
        const Trained alone = train_alone(world_, path_, std::string("alone_") + modality, options);
        if (world_.is_root()) {
            EXPECT_TRUE(std::isfinite(here.losses.back()));
            EXPECT_TRUE(here.model == alone.model);
        }
    }
}

}  // namespace
}  // namespace smeta::model
