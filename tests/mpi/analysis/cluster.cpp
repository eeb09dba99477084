#include "smeta/analysis/cluster.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "smeta/analysis/leiden.hpp"
#include "smeta/analysis/run_mixing.hpp"
#include "smeta/analysis/subcluster.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/io/anndata.hpp"

#include "support/support.hpp"

namespace smeta::analysis {
namespace {

constexpr std::int64_t kSpots = 90;

/// A sample's joint file with one modality of five features; one value lies below 0, as a feature
/// of images can.
io::MuData joint_of(const std::string& sample) {
    io::AnnData st;
    core::MatrixF counts(kSpots, 5);
    for (std::int64_t r = 0; r < kSpots; ++r)
        for (int c = 0; c < 5; ++c) counts(r, c) = static_cast<float>((r * 7 + c * 3) % 4);
    counts(1, 4) = -0.5F;
    st.x = core::from_dense(counts);
    core::MatrixD position(kSpots, 2);
    for (std::int64_t r = 0; r < kSpots; ++r) {
        st.obs.index.push_back("spot" + std::to_string(r));
        position.row(r) << static_cast<double>(r % 10), static_cast<double>(r / 10);
    }
    st.obs.set("sample", std::vector<std::string>(kSpots, sample));
    st.obs.set("cohort", std::vector<std::string>(kSpots, "c"));
    st.obsm["spatial"] = position;
    st.var.index = {"A", "B", "C", "D", "E"};
    io::MuData data;
    data.obs = st.obs;
    data.modalities.emplace_back("st", std::move(st));
    return data;
}

/// Results with three clouds in the latent, the same in both samples: row r belongs to cloud r % 3.
io::AnnData result_of(const std::string& sample) {
    io::AnnData result;
    result.obs = joint_of(sample).obs;
    const core::Philox random(9, core::DrawPurpose::Test, 0, {core::sample_key(sample), 0});
    core::MatrixD latent(kSpots, 3);
    for (std::int64_t r = 0; r < kSpots; ++r)
        for (int c = 0; c < 3; ++c)
            latent(r, c) = static_cast<float>(random.normal(static_cast<std::uint64_t>(r * 3 + c)) +
                                              (c == r % 3 ? 40 : 0));
    result.obsm["X_smeta"] = latent;
    result.float_obsm = {"X_smeta"};
    return result;
}

atlas::Run make_run(const comm::Comm& comm, const std::filesystem::path& path) {
    comm.root_or_throw([&] {
        auto atlas = atlas::ShardedAtlas::create(path);
        for (const std::string name : {"s1", "s2"})
            atlas.commit_joint(name, "c", "0123456789abcdef", joint_of(name));
        atlas::ModalityFeatures genes;
        genes.name = "st";
        genes.var.index = {"A", "B", "C", "D", "E"};
        atlas::Run::Setup setup;
        setup.features.modalities = {genes};
        const auto run = atlas::Run::create(atlas, "main", setup);
        for (const std::string name : {"s1", "s2"}) run.write_result(name, result_of(name));
    });
    const auto atlas = atlas::ShardedAtlas::open(comm, path);
    return atlas::Run::open(comm, atlas, "main");
}

std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// The same chain on one rank, for comparison.
struct Reference {
    std::string graph;
    io::ColumnValues first;
    io::ColumnValues second;
};

Reference reference(const ClusterConfig& config) {
    const test::TemporaryFolder folder;
    const auto self = comm::Comm::self();
    const auto run = make_run(self, folder / "atlas");
    run_cluster(self, run, config, 1);
    return {bytes_of(run.neighbors_file()), *run.read_result("s1").obs.find("cluster"),
            *run.read_result("s2").obs.find("cluster")};
}

TEST(ClusterMpi, AnyRankCountGivesTheSameFiles) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    ClusterConfig config;
    config.resolution = 0.1;
    const auto expected = reference(config);
    EXPECT_EQ(std::get<io::Categorical>(expected.first).categories,
              (std::vector<std::string>{"0", "1", "2"}));
    test::on_each_communicator([&](const comm::Comm& comm) {
        const test::TemporaryFolder folder(comm);
        const auto run = make_run(comm, folder / "atlas");
        EXPECT_EQ(run_neighbors(comm, run, config), StageResult::Done);
        EXPECT_EQ(run_neighbors(comm, run, config), StageResult::Current);
        EXPECT_EQ(run_cluster(comm, run, config, 1), StageResult::Done);
        EXPECT_EQ(run_cluster(comm, run, config, 1), StageResult::Current);
        EXPECT_EQ(bytes_of(run.neighbors_file()), expected.graph);
        EXPECT_EQ(*run.read_result("s1").obs.find("cluster"), expected.first);
        EXPECT_EQ(*run.read_result("s2").obs.find("cluster"), expected.second);
        comm.barrier();
        ClusterConfig other = config;
        other.neighbors = 10;
        EXPECT_EQ(run_cluster(comm, run, other, 1), StageResult::Done);
        EXPECT_NE(bytes_of(run.neighbors_file()), expected.graph);
        comm.barrier();
    });
}

TEST(ClusterMpi, SpotsOfOneCloudShareACluster) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    const auto comm = comm::Comm::world();
    const test::TemporaryFolder folder(comm);
    const auto run = make_run(comm, folder / "atlas");
    ClusterConfig config;
    config.resolution = 0.1;
    run_cluster(comm, run, config, 1);
    const auto result = run.read_result("s2");
    const auto& codes = std::get<io::Categorical>(*result.obs.find("cluster")).codes;
    for (std::int64_t r = 3; r < kSpots; ++r) EXPECT_EQ(codes[r], codes[r % 3]);
    const auto graph = io::read_h5ad(run.neighbors_file().string());
    EXPECT_EQ(graph.obs.index.front(), "spot0-s1") << "names of both samples are the same";
    EXPECT_EQ(graph.obsp.at("distances").nnz(), 2 * kSpots * 19);

    const auto mixing = run_mixing(run, 1000, 1);
    ASSERT_TRUE(mixing.has_value());
    EXPECT_EQ(mixing->spots, 2 * kSpots);
    EXPECT_GT(mixing->after.ilisi, 0.8) << "both samples hold the same clouds";
    EXPECT_EQ(run_mixing(run, 50, 1)->spots, 50);
    EXPECT_FALSE(run_mixing(run, 0, 1));
    comm.barrier();
}

/// Leiden on the spots of one cluster, cut out of the dense graph.
std::vector<std::int32_t> divide(const atlas::Run& run, const std::vector<std::int32_t>& codes,
                                 double resolution) {
    const auto graph = io::read_h5ad(run.neighbors_file().string());
    const auto dense = core::to_dense(graph.obsp.at("connectivities").view());
    std::vector<Eigen::Index> rows;
    for (std::size_t r = 0; r < codes.size(); ++r)
        if (codes[r] == 0) rows.push_back(static_cast<Eigen::Index>(r));
    const core::MatrixF part = dense(rows, rows);
    return leiden(core::from_dense(part).view(), {.resolution = resolution});
}

TEST(ClusterMpi, OneClusterIsDividedAndTheOthersStay) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    ClusterConfig config;
    config.resolution = 0.1;
    test::on_each_communicator([&](const comm::Comm& comm) {
        const test::TemporaryFolder folder(comm);
        const auto run = make_run(comm, folder / "atlas");
        config.resolution = 0.1;
        run_cluster(comm, run, config, 1);
        config.resolution = 1.5;
        const auto count = run_subcluster(comm, run, config, {"0"});
        comm.barrier();
        std::vector<std::int32_t> codes;
        std::vector<std::string> found;
        for (const std::string name : {"s1", "s2"}) {
            const auto result = run.read_result(name);
            const auto& column = std::get<io::Categorical>(*result.obs.find("cluster"));
            codes.insert(codes.end(), column.codes.begin(), column.codes.end());
            const auto text = result.obs.as_text("subcluster", name);
            found.insert(found.end(), text.begin(), text.end());
        }
        const auto labels = divide(run, codes, 1.5);
        EXPECT_EQ(count, *std::max_element(labels.begin(), labels.end()) + 1);
        EXPECT_GT(count, 1);
        std::size_t next = 0;
        for (std::size_t r = 0; r < codes.size(); ++r)
            EXPECT_EQ(found[r], codes[r] == 0 ? "0," + std::to_string(labels[next++])
                                              : std::to_string(codes[r]));
        EXPECT_EQ(run_subcluster(comm, run, config, {"1"}),
                  run_subcluster(comm, run, config, {"1"}))
            << "its own column is replaced";
        EXPECT_THROW(run_subcluster(comm, run, config, {"7"}), core::ConfigError);
        EXPECT_ANY_THROW(run_subcluster(comm, run, config, {"0", "cluster"}));
        comm.barrier();
    });
}

}  // namespace
}  // namespace smeta::analysis
