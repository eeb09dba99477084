#include "smeta/atlas/atlas.hpp"

#include <atomic>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/h5.hpp"

#include "support/atlas_data.hpp"
#include "support/support.hpp"

namespace smeta::atlas {
namespace {

namespace fs = std::filesystem;
using test::joint_data;

constexpr const char* kKey = "00000000000000aa";
constexpr const char* kOtherKey = "bb000000000000bb";

void write_stage(const fs::path& path, std::int64_t number) {
    io::H5File file = io::H5File::create(path.string());
    file.root().write_scalar("number", number);
    file.close();
}

std::size_t files_in(const fs::path& folder) {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        count += entry.is_regular_file() ? 1 : 0;
    return count;
}

void expect_equal(const io::MuData& a, const io::MuData& b) {
    ASSERT_EQ(a.modalities.size(), b.modalities.size());
    for (std::size_t m = 0; m < a.modalities.size(); ++m) {
        EXPECT_EQ(a.modalities[m].first, b.modalities[m].first);
        const io::AnnData& x = a.modalities[m].second;
        const io::AnnData& y = b.modalities[m].second;
        EXPECT_EQ(x.obs, y.obs);
        EXPECT_EQ(x.var, y.var);
        EXPECT_TRUE(io::to_csr(*x.x) == io::to_csr(*y.x));
        EXPECT_TRUE(x.obsm == y.obsm);
    }
}

TEST(ShardedAtlas, is_made_once_and_only_in_a_folder_of_its_own) {
    const test::TemporaryFolder folder;
    const ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    EXPECT_TRUE(atlas.samples().empty());
    EXPECT_THROW(ShardedAtlas::create(folder / "a"), core::ConfigError);
    EXPECT_NO_THROW(ShardedAtlas::open(folder / "a"));
    EXPECT_THROW(ShardedAtlas::open(folder / "b"), core::ConfigError);
    fs::create_directory(folder / "full");
    std::ofstream(folder / "full/letter.txt") << "mine";
    EXPECT_THROW(ShardedAtlas::open_or_create(folder / "full"), core::ConfigError);
    fs::remove(folder / "a/manifest.json");  // killed before the manifest
    EXPECT_NO_THROW(ShardedAtlas::open_or_create(folder / "a"));
}

TEST(ShardedAtlas, is_made_by_one_of_those_that_want_it_at_once) {
    constexpr int kProcesses = 4;  // threads: the lock is of the open file, not of the process
    const test::TemporaryFolder folder;
    for (int round = 0; round < 8; ++round) {
        const fs::path path = folder / ("a" + std::to_string(round));
        std::atomic<int> ready{0};
        std::atomic<int> opened{0};
        std::vector<std::string> errors(kProcesses);
        std::vector<std::thread> threads;
        for (int i = 0; i < kProcesses; ++i)
            threads.emplace_back([&, i] {
                for (++ready; ready < kProcesses;) std::this_thread::yield();
                try {
                    opened += ShardedAtlas::open_or_create(path).samples().empty() ? 1 : 0;
                } catch (const std::exception& error) {
                    errors[i] = error.what();
                }
            });
        for (auto& thread : threads) thread.join();
        EXPECT_EQ(errors, std::vector<std::string>(kProcesses));
        EXPECT_EQ(opened, kProcesses);
    }
}

TEST(ShardedAtlas, gives_back_what_was_committed) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    const io::MuData data = joint_data("S", 50);
    atlas.commit_raw("S", "c", data);
    atlas.commit_raw("A", "d", joint_data("A", 5));
    EXPECT_EQ(atlas.samples(), (std::vector<std::string>{"A", "S"}));
    EXPECT_EQ(atlas.cohort("S"), "c");
    expect_equal(ShardedAtlas::open(folder / "a").read_raw("S"), data);
    EXPECT_EQ(atlas.sample("S").find(kRaw)->modalities.at("st"), (ModalityShape{50, 11}));
    EXPECT_EQ(atlas.registry().names("st").size(), 11U);
    EXPECT_EQ(atlas.registry().names("sm").count("mz_103"), 1U);
    EXPECT_THROW((void)atlas.sample("T"), core::ConfigError);
    EXPECT_THROW((void)atlas.samples({"S", "X"}), core::ConfigError);
    EXPECT_THROW((void)atlas.stage_file("S", kQc), core::ConfigError);
}

TEST(ShardedAtlas, a_sample_is_replaced_in_the_instant_of_the_commit) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    const io::MuData old = joint_data("S", 50);
    const io::MuData anew = joint_data("S", 20);
    atlas.commit_raw("S", "c", old, kKey);
    atlas.commit_joint("S", kKey, old);
    {
        CommitBatch given_up(atlas);
        given_up.replace("S");
        given_up.add_raw("S", "d", anew, kOtherKey);
        expect_equal(ShardedAtlas::open(folder / "a").read_raw("S"), old);
    }
    expect_equal(ShardedAtlas::open(folder / "a").read_raw("S"), old);
    EXPECT_EQ(files_in(folder / "a/raw"), 1U);
    CommitBatch batch(atlas);
    batch.replace("S");
    batch.add_raw("S", "d", anew, kOtherKey);
    expect_equal(ShardedAtlas::open(folder / "a").read_joint("S"), old);
    batch.commit(atlas);
    expect_equal(atlas.read_raw("S"), anew);
    EXPECT_EQ(atlas.cohort("S"), "d");
    EXPECT_EQ(atlas.sample("S").find(kJoint), nullptr);  // made of what is gone
    EXPECT_EQ(files_in(folder / "a/raw"), 1U);
    EXPECT_EQ(files_in(folder / "a/joint"), 0U);
    CommitBatch again(atlas);  // in place of a replacement, and by data of another kind
    again.replace("S");
    again.add_joint("S", kKey, old, "c");
    again.commit(atlas);
    expect_equal(atlas.read_joint("S"), old);
    EXPECT_EQ(atlas.sample("S").find(kRaw), nullptr);
    EXPECT_EQ(files_in(folder / "a/raw"), 0U);
}

TEST(ShardedAtlas, repeating_a_commit_changes_nothing) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    atlas.commit_raw("S", "c", joint_data("S", 50));
    atlas.commit_stage("S", kQc, kKey, [](const auto& path) { write_stage(path, 1); });
    atlas.commit_joint("S", kKey, joint_data("S", 40));
    const std::string manifest = io::read_text_file((folder / "a/manifest.json").string());
    const auto time = fs::last_write_time(folder / "a/manifest.json");
    const std::size_t files = files_in(folder / "a");
    atlas.commit_raw("S", "c", joint_data("S", 50));
    atlas.commit_stage("S", kQc, kKey, [](const auto&) { FAIL() << "written again"; });
    atlas.commit_joint("S", kKey, joint_data("S", 40));
    EXPECT_EQ(io::read_text_file((folder / "a/manifest.json").string()), manifest);
    EXPECT_EQ(fs::last_write_time(folder / "a/manifest.json"), time);
    EXPECT_EQ(files_in(folder / "a"), files);
}

TEST(ShardedAtlas, never_rewrites_raw_data) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    atlas.commit_raw("S", "c", joint_data("S", 50));
    const auto before = io::file_checksum((folder / "a/raw/S.h5mu").string());
    EXPECT_THROW(atlas.commit_raw("S", "c", joint_data("S", 51)), core::ConfigError);
    EXPECT_THROW(atlas.commit_raw("S", "d", joint_data("S", 50)), core::ConfigError);
    EXPECT_THROW(atlas.commit_joint("S", "c", kKey, joint_data("T", 5)), core::ConfigError);
    EXPECT_EQ(io::file_checksum((folder / "a/raw/S.h5mu").string()), before);
    EXPECT_EQ(files_in(folder / "a/raw"), 1U);
}

TEST(ShardedAtlas, a_new_key_switches_and_keeps_the_old_file) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    atlas.commit_raw("S", "c", joint_data("S", 5));
    atlas.commit_stage("S", kQc, kKey, [](const auto& path) { write_stage(path, 1); });
    const fs::path old = atlas.stage_file("S", kQc);
    EXPECT_TRUE(atlas.is_current("S", kQc, kKey));
    atlas.commit_stage("S", kQc, kOtherKey, [](const auto& path) { write_stage(path, 2); });
    EXPECT_FALSE(atlas.is_current("S", kQc, kKey));
    EXPECT_EQ(atlas.key("S", kQc), kOtherKey);
    EXPECT_TRUE(fs::exists(old));
    EXPECT_NE(atlas.stage_file("S", kQc), old);
    atlas.commit_atlas_stage(kSelect, kKey, [](const auto& path) { write_stage(path, 3); });
    EXPECT_TRUE(atlas.is_current("", kSelect, kKey));
}

TEST(ShardedAtlas, a_batch_without_commit_leaves_nothing) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    const std::size_t before = files_in(folder / "a");
    {
        CommitBatch batch(atlas);
        batch.add_raw("S", "c", joint_data("S", 5));
        EXPECT_THROW(
            batch.add_stage("S", kQc, kKey, [](const auto&) { throw core::IoError("disk full"); }),
            core::IoError);
    }
    EXPECT_EQ(files_in(folder / "a"), before);
    EXPECT_TRUE(ShardedAtlas::open(folder / "a").samples().empty());
}

TEST(ShardedAtlas, sees_commits_of_others) {
    const test::TemporaryFolder folder;
    ShardedAtlas first = ShardedAtlas::create(folder / "a");
    ShardedAtlas second = ShardedAtlas::open(folder / "a");
    first.commit_raw("S", "c", joint_data("S", 5));
    second.commit_raw("T", "c", joint_data("T", 5));
    EXPECT_EQ(second.samples(), (std::vector<std::string>{"S", "T"}));
    first.refresh();
    EXPECT_EQ(first.manifest(), second.manifest());
    ShardedAtlas stale = ShardedAtlas::open(folder / "a");
    first.commit_raw("U", "c", joint_data("U", 5));
    EXPECT_THROW(stale.commit_raw("U", "c", joint_data("U", 6)), core::ConfigError);
    stale = ShardedAtlas::open(folder / "a");
    expect_equal(stale.read_raw("U"), joint_data("U", 5));
}

TEST(JointReader, reads_rows_over_file_boundaries) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    const std::int64_t rows = kJointFileRows + 100;
    const io::MuData data = joint_data("L", rows);
    atlas.commit_joint("L", "c", kKey, data);
    ASSERT_EQ(atlas.sample("L").find(kJoint)->files.size(), 2U);
    EXPECT_TRUE(fs::exists(folder / "a/joint/L.00000000.1.h5mu"));
    const JointReader reader = atlas.open_joint("L");
    EXPECT_EQ(reader.rows(), rows);
    EXPECT_EQ(reader.modalities(), (std::vector<std::string>{"sm", "st"}));
    EXPECT_EQ(reader.obs(), data.modalities[0].second.obs);
    EXPECT_TRUE(reader.obsm("spatial") == data.modalities[0].second.obsm.at("spatial"));
    for (const char* modality : {"sm", "st"}) {
        const core::CountsCsr all = io::to_csr(*data.find(modality)->x);
        EXPECT_EQ(reader.stored_values(modality) >= all.nnz(), true);
        for (const auto& [first, last] : std::vector<std::pair<std::int64_t, std::int64_t>>{
                 {0, 10}, {kJointFileRows - 5, kJointFileRows + 5}, {rows - 3, rows}, {7, 7}}) {
            core::CountsCsr expected;
            expected.cols = all.cols;
            for (std::int64_t row = first; row < last; ++row)
                expected.append_row(all.view().row_indices(row), all.view().row_values(row));
            EXPECT_TRUE(reader.read_rows(modality, first, last) == expected) << first;
        }
    }
    EXPECT_THROW((void)reader.read_rows("x", 0, 1), core::ConfigError);
    EXPECT_THROW((void)reader.read_rows("st", 0, rows + 1), core::InvariantError);
    expect_equal(atlas.read_joint("L"), data);
}

TEST(ShardedAtlas, notices_a_file_that_is_gone_or_cut) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    atlas.commit_joint("L", "c", kKey, joint_data("L", 20));
    const fs::path file = folder / "a/joint/L.00000000.h5mu";
    fs::resize_file(file, fs::file_size(file) - 1);
    EXPECT_THROW((void)atlas.open_joint("L"), core::FormatError);
    fs::remove(file);
    EXPECT_THROW((void)atlas.open_joint("L"), core::FormatError);
}

}  // namespace
}  // namespace smeta::atlas
