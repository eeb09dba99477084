// A section larger than a joint file, made by all ranks.
#include <cstring>

#include <gtest/gtest.h>

#include "smeta/align/align.hpp"
#include "smeta/align/reassign.hpp"
#include "smeta/atlas/maintenance.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/h5.hpp"
#include "smeta/preprocess/qc.hpp"

#include "support/no_more_files.hpp"
#include "support/support.hpp"

namespace {

using namespace smeta;
namespace fs = std::filesystem;

constexpr int kWidth = 20;

io::AnnData modality(const std::string& prefix, std::int64_t rows, int features, double spread) {
    io::AnnData data;
    core::MatrixD points(rows, 2);
    core::MatrixF x(rows, features);
    std::vector<std::int64_t> number;
    std::vector<double> quality;
    io::Categorical region{{}, {"inner", "outer"}, false};
    for (std::int64_t r = 0; r < rows; ++r) {
        data.obs.index.push_back(prefix + std::to_string(r));
        points.row(r) << spread * static_cast<double>(r % kWidth),
            spread * static_cast<double>(r / kWidth);
        number.push_back(7 * r);
        quality.push_back(1.0 / static_cast<double>(r + 1));
        region.codes.push_back(r % 3 == 0 ? -1 : static_cast<std::int32_t>(r % 2));
        for (int f = 0; f < features; ++f)
            x(r, f) = static_cast<float>((r * 31 + f * 17 + (r * r) % 11) % 13);
    }
    for (int f = 0; f < features; ++f)
        data.var.index.push_back((features == 9 ? "G" : "mz_10") + std::to_string(f));
    data.obs.set("number_" + prefix, number);
    data.obs.set("quality", quality);
    data.obs.set("region", region);
    data.x = features == 9 ? io::MatrixValues(core::from_dense(x)) : io::MatrixValues(x);
    data.obsm["spatial"] = points;
    return data;
}

/// Images with coordinates of their own: each spot averages pixels.
io::MuData unpaired(std::int64_t spots, std::int64_t pixels) {
    io::MuData raw;
    raw.modalities.emplace_back("st", modality("s", spots, 9, 1.0));
    raw.modalities.emplace_back("sm", modality("px_", pixels, 6, 0.75));
    atlas::set_given_transform(raw, {{1, 0, 0, 1}, {0.2, -0.1}});
    return raw;
}

/// Joined by name: the last spots have images alone, so that the numbers of the others' table are
/// missing in the last share only, and the first spots have none.
io::MuData paired(std::int64_t spots) {
    io::MuData raw;
    raw.modalities.emplace_back("st", modality("s", spots, 9, 1.0));
    io::AnnData sm = modality("s", spots, 6, 1.0);
    for (std::int64_t r = 0; r < spots; ++r) sm.obs.index[r] = "s" + std::to_string(r + 5);
    sm.obs.columns.front().first = "number_sm";
    raw.modalities.emplace_back("sm", sm);
    atlas::set_paired(raw);
    return raw;
}

void ingest(const fs::path& path) {
    auto atlas = atlas::ShardedAtlas::create(path);
    atlas.commit_raw("images", "c", unpaired(500, 700));
    atlas.commit_raw("pixels", "c", unpaired(60, 400));
    atlas.commit_raw("names", "c", paired(300));
    atlas.commit_raw("little", "c", unpaired(40, 60));
    io::MuData alone;
    alone.modalities.emplace_back("st", modality("s", 200, 9, 1.0));
    atlas.commit_raw("single", "c", alone);
}

align::ReassignConfig thresholds() {
    align::ReassignConfig config;
    config.max_counts = 75;
    return config;
}

void prepare(const comm::Comm& comm, atlas::ShardedAtlas& atlas) {
    preprocess::QcConfig qc;
    qc.st_min_counts = 30;
    preprocess::run_qc(comm, atlas, qc);
    align::run_align(comm, atlas, {});
}

template <class T>
void expect_same_values(const io::H5Dataset& a, const io::H5Dataset& b) {
    const auto left = a.read<T>();
    const auto right = b.read<T>();
    ASSERT_EQ(left.size(), right.size()) << a.path();
    EXPECT_TRUE(left.empty() ||
                std::memcmp(left.data(), right.data(), left.size() * sizeof(T)) == 0)
        << a.path();
}

void expect_same_dataset(const io::H5Dataset& a, const io::H5Dataset& b) {
    EXPECT_EQ(a.type(), b.type()) << a.path();
    EXPECT_EQ(a.shape(), b.shape()) << a.path();
    EXPECT_EQ(a.chunk(), b.chunk()) << a.path();
    EXPECT_EQ(a.attribute_names(), b.attribute_names()) << a.path();
    if (a.is_null()) return;
    if (a.type() == io::H5Type::Text)
        EXPECT_EQ(a.read_texts(), b.read_texts()) << a.path();
    else if (a.type() == io::H5Type::Float32 || a.type() == io::H5Type::Float64)
        expect_same_values<double>(a, b);
    else if (a.type() == io::H5Type::Bool)
        expect_same_values<std::uint8_t>(a, b);
    else
        expect_same_values<std::int64_t>(a, b);
}

int expect_same_group(const io::H5Group& a, const io::H5Group& b) {
    int datasets = 0;
    EXPECT_EQ(a.links(), b.links()) << a.path();
    EXPECT_EQ(a.attribute_names(), b.attribute_names()) << a.path();
    for (const auto& name : a.links()) {
        if (a.kind(name) == io::H5Kind::Group) {
            datasets += expect_same_group(a.group(name), b.group(name));
            continue;
        }
        expect_same_dataset(a.dataset(name), b.dataset(name));
        ++datasets;
    }
    return datasets;
}

/// Every dataset of every joint file of both atlases, bit for bit.
void expect_same_joint(const atlas::ShardedAtlas& a, const atlas::ShardedAtlas& b) {
    ASSERT_EQ(a.samples(), b.samples());
    for (const auto& sample : a.samples()) {
        const auto* left = a.sample(sample).find(atlas::kJoint);
        const auto* right = b.sample(sample).find(atlas::kJoint);
        ASSERT_TRUE(left != nullptr && right != nullptr) << sample;
        EXPECT_EQ(left->key, right->key);
        EXPECT_EQ(left->modalities, right->modalities) << sample;
        ASSERT_EQ(left->files.size(), right->files.size()) << sample;
        for (std::size_t i = 0; i < left->files.size(); ++i) {
            EXPECT_EQ(left->files[i].path, right->files[i].path);
            EXPECT_EQ(left->files[i].rows, right->files[i].rows);
            const auto one = io::H5File::open(a.checked_file(left->files[i]).string());
            const auto two = io::H5File::open(b.checked_file(right->files[i]).string());
            EXPECT_GT(expect_same_group(one.root(), two.root()), 10);
        }
    }
}

/// Reassigns on `comm` and, in another atlas, on one rank.
void check_against_one_rank(const comm::Comm& comm, std::int64_t file_rows,
                            const std::vector<std::string>& names = {}) {
    const test::TemporaryFolder folder(comm);
    if (comm.is_root()) {
        ingest(folder / "ranks");
        ingest(folder / "alone");
        const auto self = comm::Comm::self();
        auto alone = atlas::ShardedAtlas::open(folder / "alone");
        prepare(self, alone);
        align::run_reassign(self, alone, thresholds(), {}, file_rows);
    }
    comm.barrier();
    auto atlas = atlas::ShardedAtlas::open(comm, folder / "ranks");
    prepare(comm, atlas);
    align::run_reassign(comm, atlas, thresholds(), names, file_rows);
    comm.root_or_throw([&] {
        const auto alone = atlas::ShardedAtlas::open(folder / "alone");
        expect_same_joint(alone, atlas);
        EXPECT_EQ(alone.registry().names("sm"), atlas.registry().names("sm"));
        const auto files = atlas.sample("images").find(atlas::kJoint)->files.size();
        EXPECT_GT(files, 500U * 8U / 10U / static_cast<std::size_t>(file_rows));
        EXPECT_GT(files, 1U);
        // What the shares must agree on: a column of whole numbers with gaps in one share only.
        const auto obs = atlas.open_joint("names").obs();
        EXPECT_TRUE(std::holds_alternative<std::vector<double>>(*obs.find("number_s")));
        EXPECT_NE(obs.find("st_covered"), nullptr);
        EXPECT_EQ(atlas.open_joint("images").obs().find("st_covered"), nullptr);
    });
    EXPECT_TRUE(atlas::verify(comm, folder / "ranks", atlas::RepairMode::ReportOnly).sound());
}

TEST(SharedSection, EqualsThatOfOneRankBitForBit) {
    test::on_each_communicator([](const comm::Comm& comm) { check_against_one_rank(comm, 128); });
}

TEST(SharedSection, PiecesOfAnyLength) {
    check_against_one_rank(comm::Comm::world(), 37);
}

/// Pixels or places of a grid as joint rows, averages by area: whatever the ranks, the same joint
/// files and the same account of what was averaged.
void check_target(const align::ReassignConfig& config) {
    const comm::Comm world = comm::Comm::world();
    const comm::Comm self = comm::Comm::self();
    const test::TemporaryFolder folder(world);
    const auto make = [&](const comm::Comm& comm, const char* name) {
        comm.root_or_throw([&] {
            auto atlas = atlas::ShardedAtlas::create(folder / name);
            atlas.commit_raw("images", "c", unpaired(200, 280));
        });
        auto atlas = atlas::ShardedAtlas::open(comm, folder / name);
        prepare(comm, atlas);
        align::run_reassign(comm, atlas, config, {}, 64);
    };
    world.root_or_throw([&] { make(self, "alone"); });
    make(world, "ranks");
    world.root_or_throw([&] {
        const auto alone = atlas::ShardedAtlas::open(folder / "alone");
        const auto ranks = atlas::ShardedAtlas::open(folder / "ranks");
        expect_same_joint(alone, ranks);
        for (const auto& sample : alone.samples()) {
            const auto* left = alone.sample(sample).find(atlas::kReassign);
            const auto* right = ranks.sample(sample).find(atlas::kReassign);
            ASSERT_TRUE(left != nullptr && right != nullptr) << sample;
            EXPECT_EQ(*left, *right) << sample;
            for (const auto& [name, shape] : left->modalities) {
                const auto& kept = alone.sample(sample).find(atlas::kQc)->modalities.at(name);
                std::int64_t rows = shape.rows;
                for (const auto& [reason, count] : shape.dropped) rows += count;
                EXPECT_EQ(rows, kept.rows) << sample << " " << name;
            }
        }
    });
    EXPECT_TRUE(atlas::verify(world, folder / "ranks", atlas::RepairMode::ReportOnly).sound());
}

TEST(SharedSection, OtherTargetsAndWeights) {
    using align::ReassignTarget;
    using align::ReassignWeights;
    struct Case {
        ReassignTarget target;
        ReassignWeights weights;
    };
    for (const auto& [target, weights] : {Case{ReassignTarget::St, ReassignWeights::Area},
                                          Case{ReassignTarget::Sm, ReassignWeights::Nearest},
                                          Case{ReassignTarget::Hex, ReassignWeights::Area}}) {
        align::ReassignConfig config = thresholds();
        config.target = target;
        config.weights = weights;
        config.spot_diameter = 0.6;
        config.drop_uncovered = target == ReassignTarget::Hex;
        check_target(config);
    }
}

TEST(SharedSection, RanksWithoutRows) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    world.root_or_throw([&] {
        auto atlas = atlas::ShardedAtlas::create(folder / "a");
        atlas.commit_raw("S", "c", unpaired(2, 3));
    });
    auto atlas = atlas::ShardedAtlas::open(world, folder / "a");
    prepare(world, atlas);
    align::run_reassign(world, atlas, {}, {}, 1);
    EXPECT_EQ(atlas.sample("S").find(atlas::kJoint)->files.size(), 2U);
    const auto joint = atlas.read_joint("S");
    EXPECT_EQ(joint.obs.index, (std::vector<std::string>{"s0", "s1"}));
    world.barrier();
}

/// The error that `work` throws; fails the test when it throws none.
template <class Work>
std::string error_of(Work&& work) {
    try {
        work();
    } catch (const core::Error& error) {
        return error.what();
    }
    ADD_FAILURE() << "no error";
    return {};
}

void expect_nothing_written(const comm::Comm& comm, const fs::path& path) {
    const auto report = atlas::verify(comm, path, atlas::RepairMode::ReportOnly);
    EXPECT_TRUE(report.leftovers.empty());
    const auto atlas = atlas::ShardedAtlas::open(comm, path);
    for (const auto& sample : atlas.samples())
        EXPECT_EQ(atlas.sample(sample).find(atlas::kJoint), nullptr) << sample;
    comm.barrier();
}

TEST(SharedSection, OneRankThatCannotReadStopsAll) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    world.root_or_throw([&] { ingest(folder / "a"); });
    auto atlas = atlas::ShardedAtlas::open(world, folder / "a");
    prepare(world, atlas);
    std::string message;
    {
        std::optional<test::NoMoreFiles> limit;
        if (world.rank() == world.size() - 1) limit.emplace();
        message = error_of([&] { align::run_reassign(world, atlas, {}, {"images"}, 128); });
    }
    EXPECT_NE(message.find("images.h5mu"), std::string::npos) << message;
    expect_nothing_written(world, folder / "a");
}

TEST(SharedSection, NoPixelInReachIsSaidByAll) {
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    world.root_or_throw([&] {
        auto atlas = atlas::ShardedAtlas::create(folder / "a");
        io::MuData raw = unpaired(300, 300);
        atlas::set_given_transform(raw, {{1, 0, 0, 1}, {1e5, 0}});
        atlas.commit_raw("S", "c", raw);
    });
    auto atlas = atlas::ShardedAtlas::open(world, folder / "a");
    prepare(world, atlas);
    const std::string message = error_of([&] { align::run_reassign(world, atlas, {}, {}, 100); });
    EXPECT_NE(message.find("no spot has an imaging pixel"), std::string::npos) << message;
    expect_nothing_written(world, folder / "a");
}

}  // namespace
