#include "smeta/atlas/run.hpp"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"

#include "support/atlas_data.hpp"
#include "support/support.hpp"

namespace smeta::atlas {
namespace {

namespace fs = std::filesystem;
using test::joint_data;

using TrainingRun = Run;  // testing::Test has a member of that name

constexpr const char* kKey = "00000000000000aa";
constexpr const char* kOtherKey = "bb000000000000bb";

FeatureSet features_of(const io::MuData& data) {
    FeatureSet features;
    for (const char* modality : {"sm", "st"})
        features.modalities.push_back({modality, data.find(modality)->var, {}});
    return features;
}

struct Example {
    test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    Example() {
        atlas.commit_joint("B", "c", kKey, joint_data("B", 20));
        atlas.commit_joint("A", "d", kKey, joint_data("A", 10));
    }
    Run create(const std::string& name = "main") {
        return TrainingRun::create(atlas, name,
                                   {{}, "seed = 1\n", features_of(joint_data("A", 1))});
    }
};

io::AnnData result_of(const Run& run, const std::string& sample) {
    io::AnnData result;
    result.obs = run.open_joint(sample).obs();
    result.obsm["X_smeta"] = core::MatrixD::Random(result.obs.rows(), 3);
    result.float_obsm = {"X_smeta"};
    return result;
}

TEST(Run, freezes_its_inputs) {
    Example example;
    const TrainingRun run = example.create();
    EXPECT_EQ(run.samples(), (std::vector<std::string>{"A", "B"}));
    EXPECT_EQ(run.inputs().rows(), 30);
    EXPECT_EQ(run.config_toml(), "seed = 1\n");
    EXPECT_TRUE(TrainingRun::exists(example.atlas, "main"));
    example.atlas.commit_joint("C", "c", kKey, joint_data("C", 5));
    example.atlas.refresh();
    const TrainingRun again = TrainingRun::open(example.atlas, "main");
    EXPECT_EQ(again.inputs(), run.inputs());
    EXPECT_EQ(again.inputs_checksum(), run.inputs_checksum());
    EXPECT_EQ(again.features().modalities.at(1).names(), joint_data("A", 1).find("st")->var.index);
    EXPECT_EQ(again.features().modalities.at(0).measured.size(), 0);
    EXPECT_THROW(example.create(), core::ConfigError);
    EXPECT_THROW(TrainingRun::open(example.atlas, "mian"), core::ConfigError);
    EXPECT_THROW(TrainingRun::open(example.atlas, "../main"), core::ConfigError);
}

TEST(Run, knows_what_each_sample_measured) {
    Example example;
    io::MuData fewer = joint_data("C", 6);
    io::AnnData& st = fewer.modalities[1].second;
    st.var.index[2] = "other";
    example.atlas.commit_joint("C", "c", kKey, fewer);
    io::MuData only = joint_data("D", 6);
    only.modalities.erase(only.modalities.begin());
    example.atlas.commit_joint("D", "c", kKey, only);
    const TrainingRun run = example.create();
    const FeatureSet features = run.features();
    const ModalityFeatures& genes = *features.find("st");
    for (std::int64_t s = 0; s < 4; ++s)
        for (std::int64_t f = 0; f < 11; ++f)
            EXPECT_EQ(genes.is_measured(s, f), !(s == 2 && f == 2));
    EXPECT_FALSE(features.find("sm")->is_measured(3, 0));
    EXPECT_TRUE(features.find("sm")->is_measured(2, 0));
    FeatureSet unknown = features_of(joint_data("A", 1));
    unknown.modalities[1].var.index.back() = "gene99";
    EXPECT_THROW(TrainingRun::create(example.atlas, "r", {{}, "", unknown}), core::ConfigError);
    EXPECT_FALSE(TrainingRun::exists(example.atlas, "r"));
}

TEST(Run, scales_the_modalities_it_is_told_to_by_the_root_mean_square_of_all_rows) {
    Example example;
    FeatureSet features = features_of(joint_data("A", 1));
    const TrainingRun run = TrainingRun::create(example.atlas, "main", {{}, "", features, {"sm"}});
    const FeatureSet written = run.features();
    EXPECT_TRUE(feature_scales(*written.find("st")).empty());
    const ModalityFeatures& sm = *written.find("sm");
    std::vector<double> squares(sm.names().size(), 0.0);
    for (const char* sample : {"A", "B"}) {
        const io::MuData data = example.atlas.read_joint(sample);
        const core::MatrixF x = io::to_dense(*data.find("sm")->x);
        const auto column = positions_in(sm.names(), data.find("sm")->var.index);
        for (std::size_t f = 0; f < squares.size(); ++f)
            squares[f] += x.col(column[f]).cast<double>().squaredNorm();
    }
    const std::vector<float> scales = feature_scales(sm);
    ASSERT_EQ(scales.size(), squares.size());
    for (std::size_t f = 0; f < squares.size(); ++f)
        EXPECT_FLOAT_EQ(scales[f], squares[f] > 0 ? std::sqrt(squares[f] / 30) : 1.0);
    // A scale that the features bring, those of an older run, stays.
    features.modalities[0].var.set(std::string(kScaleColumn),
                                   std::vector<double>(squares.size(), 3.0));
    const TrainingRun later = TrainingRun::create(example.atlas, "r2", {{}, "", features, {"sm"}});
    EXPECT_EQ(feature_scales(*later.features().find("sm")), std::vector<float>(squares.size(), 3));
}

TEST(Run, an_input_that_is_gone_or_differs_is_an_error) {
    Example example;
    const TrainingRun run = example.create();
    EXPECT_NO_THROW(run.check_inputs(InputCheck::Checksums));
    const fs::path file = example.atlas.path() / run.sample("B").files.at(0).path;
    const std::string whole = io::read_text_file(file.string());
    std::string flipped = whole;
    flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 4);
    io::write_atomically(file.string(), flipped);
    EXPECT_NO_THROW(run.check_inputs(InputCheck::Sizes));
    EXPECT_THROW(run.check_inputs(InputCheck::Checksums), core::FormatError);
    fs::remove(file);
    EXPECT_THROW(run.check_inputs(InputCheck::Sizes), core::FormatError);
    EXPECT_THROW((void)run.open_joint("B"), core::FormatError);
    io::write_atomically(file.string(), whole);
    EXPECT_NO_THROW(run.check_inputs(InputCheck::Checksums));
    std::ofstream(run.folder() / "features.h5", std::ios::app) << "x";
    EXPECT_THROW((void)run.features(), core::FormatError);
}

TEST(Run, keeps_training_on_old_files_when_a_stage_runs_again) {
    Example example;
    const TrainingRun run = example.create();
    example.atlas.commit_joint("B", kOtherKey, joint_data("B", 7));
    EXPECT_EQ(example.atlas.open_joint("B").rows(), 7);
    EXPECT_EQ(TrainingRun::open(example.atlas, "main").open_joint("B").rows(), 20);
}

TEST(Run, results_grow_by_columns) {
    Example example;
    const TrainingRun run = example.create();
    EXPECT_THROW((void)run.read_result("A"), core::ConfigError);
    const io::AnnData result = result_of(run, "A");
    run.write_result("A", result);
    run.update_result("A", [](io::AnnData& data) {
        data.obs.set("cluster", std::vector<std::string>(data.obs.index.size(), "3"));
    });
    const io::AnnData found = run.read_result("A");
    EXPECT_FALSE(found.x.has_value());
    EXPECT_EQ(found.obs.as_text("cluster", "").front(), "3");
    EXPECT_TRUE(found.obsm.at("X_smeta").isApprox(result.obsm.at("X_smeta"), 1e-6));
    EXPECT_THROW(run.update_result("A", [](io::AnnData& data) { data.obs.index.pop_back(); }),
                 core::InvariantError);
    EXPECT_THROW(run.update_result("A", [](io::AnnData&) { throw core::IoError("full"); }),
                 core::IoError);
    EXPECT_EQ(run.read_result("A").obs, found.obs);
    EXPECT_THROW((void)run.result_file("../x"), core::ConfigError);
}

TEST(Run, a_new_mapped_query_changes_places_with_the_earlier_one) {
    Example example;
    const TrainingRun run = example.create();
    const auto made = [&](const std::string& name, const std::string& text) {
        std::filesystem::create_directories(run.map_folder(name));
        io::write_atomically((run.map_folder(name) / "summary.tsv").string(), text);
    };
    const auto text_of = [&](const std::string& name) {
        return io::read_text_file((run.map_folder(name) / "summary.tsv").string());
    };
    made("first", "one");
    run.put_mapped("first", "query");
    EXPECT_EQ(text_of("query"), "one");
    EXPECT_FALSE(std::filesystem::exists(run.map_folder("first")));
    made("second", "two");
    run.put_mapped("second", "query");
    EXPECT_EQ(text_of("query"), "two");
    EXPECT_EQ(text_of("second"), "one");
    EXPECT_THROW(run.put_mapped("third", "query"), core::IoError);
    EXPECT_EQ(text_of("query"), "two");
}

TEST(Run, two_processes_that_add_columns_lose_none) {
    Example example;
    const TrainingRun run = example.create();
    run.write_result("A", result_of(run, "A"));
    constexpr int kProcesses = 4;
    std::vector<pid_t> children;
    for (int p = 0; p < kProcesses; ++p) {
        const pid_t child = fork();
        if (child == 0) {
            for (int i = 0; i < 3; ++i)
                run.update_result("A", [&](io::AnnData& data) {
                    data.obs.set("column" + std::to_string(p) + std::to_string(i),
                                 std::vector<double>(data.obs.index.size(), p));
                });
            _exit(0);
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    const io::AnnData found = run.read_result("A");
    for (int p = 0; p < kProcesses; ++p)
        for (int i = 0; i < 3; ++i)
            EXPECT_NE(found.obs.find("column" + std::to_string(p) + std::to_string(i)), nullptr);
}

TEST(Run, moves_aside_to_the_first_free_name) {
    Example example;
    EXPECT_FALSE(TrainingRun::move_aside(example.atlas, "main").has_value());
    example.create();
    EXPECT_EQ(TrainingRun::move_aside(example.atlas, "main"), "main.old-1");
    example.create();
    EXPECT_EQ(TrainingRun::move_aside(example.atlas, "main"), "main.old-2");
    EXPECT_EQ(example.atlas.runs(), (std::vector<std::string>{"main.old-1", "main.old-2"}));
    const TrainingRun run = example.create();
    const FileLock lock = run.lock();
    EXPECT_THROW(TrainingRun::move_aside(example.atlas, "main"), core::IoError);
}

TEST(Run, history_grows_by_lines) {
    Example example;
    const TrainingRun run = example.create();
    run.append_history("{\"a\":1}");
    run.append_history("{\"b\":2}");
    EXPECT_EQ(io::read_text_file(run.history_file().string()), "{\"a\":1}\n{\"b\":2}\n");
    EXPECT_THROW(run.append_history("a\nb"), core::InvariantError);
}

}  // namespace
}  // namespace smeta::atlas
