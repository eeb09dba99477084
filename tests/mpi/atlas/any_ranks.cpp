#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/maintenance.hpp"
#include "smeta/io/h5.hpp"

#include "support/atlas_data.hpp"
#include "support/support.hpp"

namespace smeta::atlas {
namespace {

namespace fs = std::filesystem;
using test::joint_data;

constexpr const char* kKey = "00000000000000aa";

/// Every dataset below a group: its path, type, shape, chunks and elements as bytes.
void list_datasets(const io::H5Group& group, std::map<std::string, std::string>& found) {
    for (const std::string& name : group.links()) {
        if (group.kind(name) == io::H5Kind::Group) {
            list_datasets(group.group(name), found);
            continue;
        }
        const io::H5Dataset dataset = group.dataset(name);
        std::string text =
            fmt::format("{} {} {}\n", to_string(dataset.type()), fmt::join(dataset.shape(), " "),
                        fmt::join(dataset.chunk(), " "));
        const auto append = [&](const auto& values) {
            const auto bytes = std::as_bytes(std::span(values));
            text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        };
        if (dataset.type() == io::H5Type::Text)
            text += fmt::format("{}", fmt::join(dataset.read_texts(), "\n"));
        else if (dataset.type() == io::H5Type::Float32)
            append(dataset.read<float>());
        else if (io::is_float(dataset.type()))
            append(dataset.read<double>());
        else
            append(dataset.read<std::int64_t>());
        found[dataset.path()] = std::move(text);
    }
}

std::map<std::string, std::string> datasets(const fs::path& file) {
    std::map<std::string, std::string> found;
    list_datasets(io::H5File::open(file.string()).root(), found);
    return found;
}

/// Rows 0 to `rows` cut for `ranks` ranks anywhere: some hold many, some nothing.
std::vector<std::int64_t> cuts(std::mt19937& random, std::int64_t rows, int ranks) {
    std::vector<std::int64_t> cuts = {0, rows};
    for (int i = 1; i < ranks; ++i)
        cuts.push_back(std::uniform_int_distribution<std::int64_t>(0, rows)(random));
    std::ranges::sort(cuts);
    return cuts;
}

void expect_same_files(const ShardedAtlas& together, const ShardedAtlas& alone) {
    const auto& ours = together.sample("S").find(kJoint)->files;
    const auto& theirs = alone.sample("S").find(kJoint)->files;
    ASSERT_EQ(ours.size(), theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
        EXPECT_EQ(ours[i].path, theirs[i].path);
        EXPECT_EQ(ours[i].rows, theirs[i].rows);
        EXPECT_EQ(datasets(together.path() / ours[i].path),
                  datasets(alone.path() / theirs[i].path));
    }
}

/// The first `readers` ranks read rows cut in another way.
void expect_read_back(const comm::Comm& comm, const ShardedAtlas& atlas, std::mt19937& random,
                      std::int64_t rows, int readers) {
    const auto parts = cuts(random, rows, readers);
    comm.all_or_throw([&] {
        if (comm.rank() >= readers) return;
        const std::int64_t first = parts[comm.rank()];
        const std::int64_t last = parts[comm.rank() + 1];
        const io::MuData expected = joint_data("S", rows, first, last);
        const JointReader reader = atlas.open_joint("S");
        for (const char* modality : {"sm", "st"})
            EXPECT_TRUE(reader.read_rows(modality, first, last) ==
                        io::to_csr(*expected.find(modality)->x))
                << modality << " rows " << first << " to " << last << " of " << rows;
    });
}

TEST(AnyRanks, any_writers_and_any_readers_have_the_same_bits) {
    const comm::Comm world = comm::Comm::world();
    std::mt19937 random(11);  // the same on every rank
    for (int trial = 0; trial < 8; ++trial) {
        const test::TemporaryFolder folder(world);
        const std::int64_t rows = std::uniform_int_distribution<std::int64_t>(1, 900)(random);
        const std::int64_t file_rows = trial % 2 == 0 ? kJointFileRows : 1 + rows / 3;
        const auto held = cuts(random, rows, world.size());
        ShardedAtlas together = ShardedAtlas::open_or_create(world, folder / "together");
        CommitBatch batch(together, file_rows);
        batch.add_joint(world, "S", kKey,
                        joint_data("S", rows, held[world.rank()], held[world.rank() + 1]), "c");
        batch.commit(world, together);
        world.root_or_throw([&] {
            ShardedAtlas alone = ShardedAtlas::create(folder / "alone");
            CommitBatch single(alone, file_rows);
            single.add_joint("S", kKey, joint_data("S", rows), "c");
            single.commit(alone);
            expect_same_files(together, alone);
        });
        for (int readers = 1; readers <= world.size(); ++readers)
            expect_read_back(world, together, random, rows, readers);
    }
}

TEST(AnyRanks, sections_of_several_files_may_leave_observations_to_the_modalities) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    constexpr std::int64_t kRows = 10;
    // The last rank holds all but one row, the first the other one, those between nothing.
    const bool last = world.rank() == world.size() - 1;
    const std::int64_t cut = world.size() > 1 ? 1 : 0;
    io::MuData data = joint_data("S", kRows, world.is_root() ? 0 : cut, last ? kRows : cut);
    data.obs = {};
    ShardedAtlas atlas = ShardedAtlas::open_or_create(world, folder / "atlas");
    CommitBatch batch(atlas, 4);
    batch.add_joint(world, "S", kKey, data, "c");
    batch.commit(world, atlas);
    EXPECT_EQ(atlas.sample("S").find(kJoint)->files.size(), 3);
    std::mt19937 random(5);
    expect_read_back(world, atlas, random, kRows, world.size());
    EXPECT_TRUE(verify(world, folder / "atlas", RepairMode::ReportOnly).sound());
}

}  // namespace
}  // namespace smeta::atlas
