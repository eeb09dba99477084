#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>

#include <gtest/gtest.h>

#include "smeta/align/align.hpp"
#include "smeta/align/reassign.hpp"
#include "smeta/atlas/selection.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/preprocess/qc.hpp"
#include "smeta/preprocess/select.hpp"

#include "support/support.hpp"

namespace {

using namespace smeta;

constexpr int kSide = 6;
constexpr int kGenes = 12;
constexpr int kMetabolites = 8;

// A smooth field of position, another one for every feature, plus noise.
float field(const core::Philox& random, int feature, double x, double y, std::uint64_t draw) {
    const double smooth = 1.0 + std::sin(0.3 * feature + x) * std::cos(0.7 * feature - y);
    const double weight = feature % 3 == 0 ? 0.0 : 1.0;
    return static_cast<float>(std::floor(5.0 * weight * smooth + 4.0 * random.uniform(draw)));
}

io::AnnData modality(const std::string& name, const core::MatrixD& points, int features,
                     const core::RowKey& key) {
    const core::Philox random(11, core::DrawPurpose::Test, 0, key);
    io::AnnData data;
    core::MatrixF x(points.rows(), features);
    for (Eigen::Index r = 0; r < points.rows(); ++r) {
        data.obs.index.push_back(name == "sm" ? "px_" + std::to_string(r)
                                              : "s" + std::to_string(r));
        for (int f = 0; f < features; ++f)
            x(r, f) = field(random, f, points(r, 0), points(r, 1), r * features + f);
    }
    for (int f = 0; f < features; ++f)
        data.var.index.push_back((name == "sm" ? "mz_" : "G") + std::to_string(f));
    data.x = name == "st" ? io::MatrixValues(core::from_dense(x)) : io::MatrixValues(x);
    data.obsm["spatial"] = points;
    return data;
}

io::MuData raw_sample(const std::string& name, bool with_sm) {
    core::MatrixD spots(kSide * kSide, 2);
    for (int i = 0; i < spots.rows(); ++i) spots.row(i) << i % kSide, i / kSide;
    core::MatrixD pixels(4 * kSide * kSide, 2);
    for (int i = 0; i < pixels.rows(); ++i) pixels.row(i) << i % (2 * kSide), i / (2 * kSide);
    const std::uint64_t key = core::sample_key(name);
    io::MuData raw;
    raw.modalities.emplace_back("st", modality("st", spots, kGenes, {key, 0}));
    if (with_sm) {
        raw.modalities.emplace_back("sm", modality("sm", pixels, kMetabolites, {key, 1}));
        atlas::set_given_transform(raw, {{0.5, 0, 0, 0.5}, {0, 0}});
    }
    return raw;
}

void ingest(const std::filesystem::path& path, const std::vector<std::string>& order) {
    auto atlas = atlas::ShardedAtlas::create(path);
    for (const std::string& name : order)
        atlas.commit_raw(name, "study", raw_sample(name, name != "c"));
}

preprocess::SelectConfig select_config() {
    preprocess::SelectConfig config;
    config.n_genes = 6;
    config.n_metabolites = 5;
    return config;
}

void run_all(const comm::Comm& comm, const std::filesystem::path& path) {
    auto atlas = atlas::ShardedAtlas::open(comm, path);
    preprocess::QcConfig qc;
    qc.st_min_counts = 40;
    qc.sm_min_pixels = 1;
    preprocess::run_qc(comm, atlas, qc);
    align::run_align(comm, atlas, {});
    align::run_reassign(comm, atlas, {});
    preprocess::run_select(comm, atlas, select_config());
}

std::map<std::string, std::string> contents(const std::filesystem::path& root) {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file() || entry.path().extension() == ".lock") continue;
        std::ifstream file(entry.path(), std::ios::binary);
        files[std::filesystem::relative(entry.path(), root).string()] =
            std::string(std::istreambuf_iterator<char>(file), {});
    }
    return files;
}

TEST(Stages, WriteTheSameBytesOnAnyRanksThreadsAndOrder) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    if (world.is_root()) {
        ingest(folder / "alone", {"a", "b", "c", "d", "e"});
        ingest(folder / "ranks", {"e", "b", "d", "a", "c"});
        core::set_threads(1);
        run_all(comm::Comm::self(), folder / "alone");
    }
    world.barrier();
    core::set_threads(2);
    run_all(world, folder / "ranks");
    core::set_threads(1);
    world.barrier();
    if (!world.is_root()) return;
    const auto alone = contents(folder / "alone");
    const auto ranks = contents(folder / "ranks");
    EXPECT_GT(alone.size(), 15U);
    for (const auto& [name, bytes] : alone) {
        ASSERT_TRUE(ranks.contains(name)) << name;
        EXPECT_TRUE(bytes == ranks.at(name)) << name;
    }
    EXPECT_EQ(alone.size(), ranks.size());
}

TEST(Stages, SelectWhatVariesInSpaceAndSkipWhatIsDone) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    if (world.is_root()) ingest(folder / "atlas", {"a", "b", "c"});
    world.barrier();
    run_all(world, folder / "atlas");
    const auto atlas = atlas::ShardedAtlas::open(world, folder / "atlas");
    const auto features = atlas::read_selection(atlas);
    ASSERT_EQ(features.modalities.size(), 2U);
    EXPECT_EQ(features.modalities[0].name, "sm");
    // Features 0, 3, 6, 9 are noise.
    for (const std::string noise : {"G0", "G3", "G6", "G9"})
        EXPECT_EQ(std::count(features.modalities[1].names().begin(),
                             features.modalities[1].names().end(), noise),
                  0);
    EXPECT_FALSE(features.modalities[1].names().empty());
    EXPECT_LE(features.modalities[1].names().size(), 6U);
    const auto c = atlas.read_joint("c");
    EXPECT_EQ(c.modalities.size(), 1U);
    const auto a = atlas.read_joint("a");
    EXPECT_EQ(a.find("sm")->obs.as_number("sm_covered", "")[0], 1.0);
    world.barrier();
    const auto before = contents(folder / "atlas");
    world.barrier();
    run_all(world, folder / "atlas");
    world.barrier();
    EXPECT_TRUE(contents(folder / "atlas") == before);
    // Rank 0 removes the folder: not before the others have read it.
    world.barrier();
}

TEST(Stages, ErrorsReachEveryRank) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    if (world.is_root()) ingest(folder / "atlas", {"a", "b", "c"});
    world.barrier();
    auto atlas = atlas::ShardedAtlas::open(world, folder / "atlas");
    EXPECT_THROW(align::run_reassign(world, atlas, {}), core::Error);
    EXPECT_THROW(preprocess::run_select(world, atlas, {}), core::ConfigError);
    EXPECT_THROW(preprocess::run_qc(world, atlas, {}, {"nobody"}), core::ConfigError);
    align::AlignConfig config;
    config.method = align::AlignMethod::Fit;
    EXPECT_THROW(align::run_align(world, atlas, config), core::Error);
}

}  // namespace
