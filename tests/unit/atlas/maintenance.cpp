#include "smeta/atlas/maintenance.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "smeta/atlas/run.hpp"
#include "smeta/atlas/writer_lock.hpp"
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

VerifyReport verify_alone(const fs::path& path, RepairMode repair = RepairMode::ReportOnly) {
    return verify(comm::Comm::self(), path, repair);
}

void flip_bit(const fs::path& path, std::int64_t offset, int bit) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(offset);
    const char byte = static_cast<char>(file.get() ^ (1 << bit));
    file.seekp(offset);
    file.put(byte);
}

FeatureSet features_of(const io::MuData& data) {
    FeatureSet features;
    for (const char* modality : {"sm", "st"})
        features.modalities.push_back({modality, data.find(modality)->var, {}});
    return features;
}

/// An atlas with samples A and B (raw, joint) and a run of both.
struct Example {
    test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");

    Example() {
        for (const char* name : {"A", "B"}) {
            atlas.commit_raw(name, "c", joint_data(name, 30));
            atlas.commit_joint(name, kKey, joint_data(name, 20));
        }
        Run::create(atlas, "main", {{}, "seed = 1\n", features_of(joint_data("A", 1))});
    }
    const fs::path& path() const { return atlas.path(); }
};

TEST(Verify, a_sound_atlas_has_no_problem) {
    const Example example;
    const VerifyReport report = verify_alone(example.path());
    EXPECT_TRUE(report.sound());
    EXPECT_EQ(report.files, 7);  // raw, joint, features.h5, config.toml, inputs.json
    EXPECT_TRUE(report.leftovers.empty());
    EXPECT_TRUE(report.unnamed.empty());
}

TEST(Verify, finds_every_flipped_bit_and_names_the_file) {
    const Example example;
    const fs::path file = example.path() / "joint/B.00000000.h5mu";
    const auto bytes = static_cast<std::int64_t>(fs::file_size(file));
    for (std::int64_t step = 0; step < 40; ++step) {
        const std::int64_t offset = step * (bytes - 1) / 39;
        flip_bit(file, offset, static_cast<int>(step % 8));
        const VerifyReport report = verify_alone(example.path());
        ASSERT_EQ(report.problems.size(), 1U) << offset;
        EXPECT_EQ(report.problems[0].file, "joint/B.00000000.h5mu");
        flip_bit(file, offset, static_cast<int>(step % 8));
    }
    EXPECT_TRUE(verify_alone(example.path()).sound());
}

TEST(Verify, finds_cut_missing_and_replaced_files) {
    const Example example;
    const fs::path file = example.path() / "raw/A.h5mu";
    const std::string whole = io::read_text_file(file.string());
    for (std::size_t size = 0; size < whole.size(); size += 4096) {
        io::write_atomically(file.string(), whole.substr(0, size));
        ASSERT_EQ(verify_alone(example.path()).problems.size(), 1U) << size;
    }
    fs::remove(file);
    EXPECT_FALSE(verify_alone(example.path()).sound());
    fs::create_symlink("/etc/passwd", file);
    EXPECT_FALSE(verify_alone(example.path()).sound());
    fs::remove(file);
    io::write_atomically(file.string(), whole);
    EXPECT_TRUE(verify_alone(example.path()).sound());
}

TEST(Verify, reports_a_damaged_manifest_and_then_calls_nothing_unnamed) {
    const Example example;
    io::write_atomically((example.path() / "manifest.json").string(), "{\"format\":");
    const VerifyReport report = verify_alone(example.path(), RepairMode::Repair);
    ASSERT_FALSE(report.sound());
    EXPECT_EQ(report.problems[0].file, "manifest.json");
    EXPECT_TRUE(report.unnamed.empty());
    EXPECT_TRUE(report.removed.empty());
    EXPECT_TRUE(fs::exists(example.path() / "raw/A.h5mu"));
}

TEST(Verify, finds_indices_out_of_range_even_under_a_right_checksum) {
    const test::TemporaryFolder folder;
    ShardedAtlas atlas = ShardedAtlas::create(folder / "a");
    const auto write = [](const fs::path& path, std::int32_t index) {
        io::H5File file = io::H5File::create(path.string());
        {
            io::H5Group group = file.root().create_group("m");
            group.set_attribute("encoding-type", "csr_matrix");
            const std::vector<std::int64_t> shape = {2, 3};
            group.set_attribute("shape", std::span<const std::int64_t>(shape));
            group.write("indptr", std::vector<std::int64_t>{0, 1, 2});
            group.write("indices", std::vector<std::int32_t>{0, index});
            group.write("data", std::vector<float>{1, 2});
        }
        file.close();
    };
    EXPECT_NO_THROW(atlas.commit_atlas_stage("x", kKey, [&](const auto& path) { write(path, 2); }));
    EXPECT_THROW(
        atlas.commit_atlas_stage("x", kOtherKey, [&](const auto& path) { write(path, 3); }),
        core::FormatError);
    EXPECT_TRUE(atlas.is_current("", "x", kKey));
    EXPECT_TRUE(verify_alone(folder / "a").sound());
}

TEST(Repair, removes_what_nothing_names_and_keeps_what_a_run_names) {
    Example example;
    const auto touch = [](const fs::path& path) { std::ofstream(path) << "x"; };
    touch(example.path() / io::temporary_name("raw/C.h5mu"));
    example.atlas.commit_joint("A", kOtherKey, joint_data("A", 21));
    example.atlas.commit_joint("A", "cc000000000000cc", joint_data("A", 22));
    VerifyReport report = verify_alone(example.path());
    EXPECT_TRUE(report.sound());
    EXPECT_EQ(report.leftovers.size(), 1U);
    EXPECT_EQ(report.unnamed, (std::vector<std::string>{"joint/A.bb000000.h5mu"}));
    report = verify_alone(example.path(), RepairMode::Repair);
    EXPECT_EQ(report.removed.size(), 2U);
    EXPECT_TRUE(fs::exists(example.path() / "joint/A.00000000.h5mu"));  // the run's
    EXPECT_TRUE(fs::exists(example.path() / "joint/A.cc000000.h5mu"));  // the manifest's
    report = verify_alone(example.path());
    EXPECT_TRUE(report.sound());
    EXPECT_TRUE(report.leftovers.empty() && report.unnamed.empty());
    EXPECT_NO_THROW(Run::open(example.atlas, "main").check_inputs(InputCheck::Checksums));
}

TEST(Repair, derives_the_registry_anew) {
    const Example example;
    const Registry before = example.atlas.registry();
    fs::remove(example.path() / "registry.h5");
    EXPECT_FALSE(verify_alone(example.path()).sound());
    const VerifyReport report = verify_alone(example.path(), RepairMode::Repair);
    EXPECT_TRUE(report.sound());
    EXPECT_EQ(report.rebuilt, (std::vector<std::string>{"registry.h5"}));
    EXPECT_EQ(example.atlas.registry(), before);
}

TEST(Repair, waits_for_no_writer_but_refuses) {
    const Example example;
    CommitBatch batch(example.atlas);
    batch.add_raw("C", "c", joint_data("C", 3));
    EXPECT_THROW(verify_alone(example.path(), RepairMode::Repair), core::IoError);
    EXPECT_EQ(verify_alone(example.path()).leftovers.size(), 1U);
}

TEST(Repair, refuses_while_results_are_written) {
    const Example example;
    const atlas::Run run = Run::open(example.atlas, "main");
    io::AnnData result;
    result.obs = joint_data("A", 20).obs;
    run.write_result("A", result);
    run.update_result("A", [&](io::AnnData&) {
        EXPECT_THROW(verify_alone(example.path(), RepairMode::Repair), core::IoError);
    });
    EXPECT_NO_THROW(verify_alone(example.path(), RepairMode::Repair));
    EXPECT_FALSE(writer_lock_for(example.path(), example.folder / "x.h5ad"));
    const auto writing = writer_lock_for(example.path(), example.path() / "runs/../x.h5ad");
    EXPECT_THROW(verify_alone(example.path(), RepairMode::Repair), core::IoError);
    EXPECT_NO_THROW(verify_alone(example.path()));
}

TEST(Remove, keeps_the_files_of_runs) {
    Example example;
    EXPECT_THROW(remove_sample(example.atlas, "A", RemoveMode::RefuseIfUsed), core::ConfigError);
    EXPECT_EQ(example.atlas.samples().size(), 2U);
    remove_sample(example.atlas, "A", RemoveMode::Force);
    EXPECT_EQ(example.atlas.samples(), (std::vector<std::string>{"B"}));
    EXPECT_FALSE(fs::exists(example.path() / "raw/A.h5mu"));
    EXPECT_NO_THROW(Run::open(example.atlas, "main").check_inputs(InputCheck::Checksums));
    EXPECT_TRUE(verify_alone(example.path()).sound());
    EXPECT_EQ(describe(example.atlas).runs.at(0).removed, (std::vector<std::string>{"A"}));
    EXPECT_THROW(remove_sample(example.atlas, "A", RemoveMode::Force), core::ConfigError);
    example.atlas.commit_raw("A", "d", joint_data("A", 9));  // the name is free again
    example.atlas.commit_raw("Z", "d", joint_data("Z", 9));
    remove_sample(example.atlas, "Z", RemoveMode::RefuseIfUsed);
    EXPECT_FALSE(fs::exists(example.path() / "raw/Z.h5mu"));
}

TEST(Describe, counts_what_is_there) {
    const Example example;
    const AtlasInfo info = describe(example.atlas);
    EXPECT_EQ(info.version, "1.2");
    ASSERT_EQ(info.samples.size(), 2U);
    EXPECT_EQ(info.samples[0].joint_rows, 20);
    EXPECT_EQ(info.samples[0].stages, (std::vector<std::string>{"raw", "joint"}));
    EXPECT_EQ(info.cohorts.at("c"), 2);
    EXPECT_EQ(info.features.at("st"), 11);
    ASSERT_EQ(info.runs.size(), 1U);
    EXPECT_EQ(info.runs[0].rows, 40);
}

}  // namespace
}  // namespace smeta::atlas
