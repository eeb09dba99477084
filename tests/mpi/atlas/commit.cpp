#include <gtest/gtest.h>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/maintenance.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"

#include "support/atlas_data.hpp"
#include "support/no_more_files.hpp"
#include "support/support.hpp"

namespace smeta::atlas {
namespace {

namespace fs = std::filesystem;
using test::joint_data;

constexpr const char* kKey = "00000000000000aa";

/// Rows of a section in rank order: rank 0 holds nothing where there are several.
comm::Range held_rows(const comm::Comm& comm, std::int64_t rows) {
    if (comm.size() == 1) return {0, rows};
    if (comm.rank() == 0) return {0, 0};
    return comm::even_share(rows, comm.size() - 1, comm.rank() - 1);
}

TEST(Commit, samples_of_all_ranks_become_visible_together) {
    test::on_each_communicator([](const comm::Comm& comm) {
        const test::TemporaryFolder folder(comm);
        ShardedAtlas atlas = ShardedAtlas::open_or_create(comm, folder / "a");
        const std::vector<std::string> names = {"A", "B", "C"};  // np 4: one rank owns nothing
        CommitBatch batch(atlas);
        comm.all_or_throw([&] {
            for (std::size_t i = comm.rank(); i < names.size(); i += comm.size())
                batch.add_raw(names[i], "c", joint_data(names[i], 10));
        });
        EXPECT_TRUE(ShardedAtlas::open(comm, folder / "a").samples().empty());
        batch.commit(comm, atlas);
        EXPECT_EQ(atlas.samples(), names);
        EXPECT_EQ(ShardedAtlas::open(comm, folder / "a").manifest(), atlas.manifest());
        const VerifyReport report = verify(comm, folder / "a", RepairMode::ReportOnly);
        EXPECT_TRUE(report.sound());
        EXPECT_EQ(report.files, 3);
        EXPECT_TRUE(report.leftovers.empty());
    });
}

TEST(Commit, manifest_bytes_do_not_depend_on_ranks) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    const std::vector<std::string> names = {"A", "B", "C"};
    ShardedAtlas together = ShardedAtlas::open_or_create(world, folder / "a");
    CommitBatch batch(together);
    world.all_or_throw([&] {
        for (std::size_t i = world.rank(); i < names.size(); i += world.size())
            batch.add_raw(names[i], "c", joint_data(names[i], 10));
    });
    batch.commit(world, together);
    world.root_or_throw([&] {
        ShardedAtlas alone = ShardedAtlas::create(folder / "b");
        for (const char* name : {"C", "A", "B"}) alone.commit_raw(name, "c", joint_data(name, 10));
        for (const char* file : {"manifest.json", "raw/B.h5mu", "registry.h5"})
            EXPECT_EQ(io::read_text_file((folder / "a" / file).string()),
                      io::read_text_file((folder / "b" / file).string()))
                << file;
    });
}

TEST(Commit, one_conflict_stops_all_and_commits_nothing) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    ShardedAtlas atlas = ShardedAtlas::open_or_create(world, folder / "a");
    const int last = world.size() - 1;
    CommitBatch batch(atlas);
    batch.add_raw("S" + std::to_string(world.rank()), "c", joint_data("S", 10));
    world.barrier();
    world.root_or_throw([&] {  // another command is faster with the last rank's sample
        ShardedAtlas other = ShardedAtlas::open(folder / "a");
        other.commit_raw("S" + std::to_string(last), "c", joint_data("other", 11));
    });
    EXPECT_THROW(batch.commit(world, atlas), core::Error);
    EXPECT_EQ(ShardedAtlas::open(world, folder / "a").samples(),
              (std::vector<std::string>{"S" + std::to_string(last)}));
}

/// Commits a section that the ranks hold in parts and reads it back on one.
void check_section(const comm::Comm& comm, std::int64_t rows, std::size_t files) {
    const test::TemporaryFolder folder(comm);
    ShardedAtlas atlas = ShardedAtlas::open_or_create(comm, folder / "a");
    const comm::Range held = held_rows(comm, rows);
    CommitBatch batch(atlas);
    batch.add_joint(comm, "L", kKey, joint_data("L", rows, held.first, held.last), "c");
    batch.commit(comm, atlas);
    ASSERT_EQ(atlas.sample("L").find(kJoint)->files.size(), files);
    EXPECT_EQ(atlas.sample("L").find(kJoint)->modalities.at("st").rows, rows);
    comm.root_or_throw([&] {
        const JointReader reader = atlas.open_joint("L");
        const io::MuData whole = joint_data("L", rows);
        EXPECT_EQ(reader.obs(), whole.find("st")->obs);
        EXPECT_TRUE(reader.obsm("spatial") == whole.find("st")->obsm.at("spatial"));
        for (const char* modality : {"sm", "st"})
            EXPECT_TRUE(reader.read_rows(modality, 0, rows) == io::to_csr(*whole.find(modality)->x))
                << modality;
    });
    EXPECT_TRUE(verify(comm, folder / "a", RepairMode::ReportOnly).sound());
}

TEST(Commit, a_section_of_many_ranks_equals_that_of_one) {
    test::on_each_communicator([](const comm::Comm& comm) {
        check_section(comm, 700, 1);
        check_section(comm, 1, 1);  // most ranks hold nothing
    });
}

TEST(Commit, a_large_section_is_cut_wherever_the_ranks_end) {
    check_section(comm::Comm::world(), kJointFileRows + 3000, 2);
}

TEST(Commit, a_rank_that_cannot_write_stops_also_those_without_rows_in_that_file) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    ShardedAtlas atlas = ShardedAtlas::open_or_create(world, folder / "a");
    const comm::Range held = comm::even_share(600, world.size(), world.rank());
    {
        CommitBatch batch(atlas, 100);
        batch.add_joint(world, "A", kKey, joint_data("A", 600, held.first, held.last), "c");
        std::optional<test::NoMoreFiles> limit;
        if (world.is_root()) limit.emplace();  // the first of six files cannot be made
        EXPECT_THROW(
            batch.add_joint(world, "B", kKey, joint_data("B", 600, held.first, held.last), "c"),
            core::Error);
    }
    world.barrier();
    const VerifyReport report = verify(world, folder / "a", RepairMode::ReportOnly);
    EXPECT_TRUE(report.sound());
    EXPECT_TRUE(report.leftovers.empty());
    EXPECT_TRUE(ShardedAtlas::open(world, folder / "a").samples().empty());
}

}  // namespace
}  // namespace smeta::atlas
