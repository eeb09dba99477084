#include <cmath>

#include <gtest/gtest.h>

#include "smeta/analysis/network_stage.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"

#include "support/support.hpp"
#include "support/synthetic_run.hpp"

namespace smeta::analysis {
namespace {

/// A path of spots 0 - 1 - 2 - ... with edges in both directions.
Section path(const std::string& name, const std::vector<std::int32_t>& clusters) {
    Section section;
    section.sample = name;
    section.clusters = clusters;
    const auto rows = static_cast<std::int64_t>(clusters.size());
    section.position.resize(rows, 2);
    section.graph.rows = rows;
    for (std::int64_t i = 0; i < rows; ++i) {
        section.position.row(i) << 2.0 * static_cast<double>(i), 0;
        for (const auto j : {i - 1, i + 1})
            if (j >= 0 && j < rows) section.graph.columns.push_back(j);
        section.graph.indptr.push_back(static_cast<std::int64_t>(section.graph.columns.size()));
    }
    section.graph.weights.assign(section.graph.columns.size(), 1.0);
    return section;
}

TEST(NetworkMpi, EnrichmentOfAPath) {
    const comm::Comm world = comm::Comm::world();
    // a a a a b b b b and a spot without a cluster between.
    const auto section = path("s", {0, 0, 0, 0, -1, 1, 1, 1, 1});
    const auto found = neighborhood_enrichment(world, {section}, 2, 4000, 1);
    EXPECT_EQ(found.count.values, (std::vector<std::int64_t>{6, 0, 0, 6}));
    // 12 directed edges between 8 spots: a to b with probability 4 * 4 / (8 * 7).
    const double between = 12.0 * 16 / 56;
    EXPECT_NEAR(found.expected.at(0, 1), between, 5 * found.deviation.at(0, 1) / std::sqrt(4000));
    EXPECT_NEAR(found.expected.at(0, 0), 12.0 * 12 / 56,
                5 * found.deviation.at(0, 0) / std::sqrt(4000));
    EXPECT_NEAR(found.z.at(0, 1), -found.expected.at(0, 1) / found.deviation.at(0, 1), 1e-12);
    EXPECT_GT(found.z.at(0, 0), 1);
    // One cluster only: shuffling changes nothing.
    EXPECT_TRUE(
        std::isnan(neighborhood_enrichment(world, {path("s", {0, 0, 0})}, 1, 10, 1).z.at(0, 0)));
}

TEST(NetworkMpi, CoOccurrenceOfAPath) {
    const comm::Comm world = comm::Comm::world();
    const auto found = co_occurrence(world, {path("s", {0, 0, 1, 1})}, 2, {1, 3});
    // Within one spacing: pairs aa 2, ab 1, ba 1, bb 2 of 6.
    EXPECT_NEAR(found.ratio[0].at(0, 0), (2.0 / 3) / 0.5, 1e-15);
    EXPECT_NEAR(found.ratio[0].at(0, 1), (1.0 / 3) / 0.5, 1e-15);
    // Within three spacings all 12 pairs: aa 2, ab 4, ba 4, bb 2.
    EXPECT_NEAR(found.ratio[1].at(0, 1), (4.0 / 6) / 0.5, 1e-15);
}

TEST(NetworkMpi, DistancesAndProximity) {
    const comm::Comm world = comm::Comm::world();
    const auto section = path("s", {0, 1, 1, 2});  // at x = 0, 2, 4, 6
    EXPECT_EQ(spot_spacing(section.position), 2);
    const auto distance = cluster_distances(world, section, 4);
    EXPECT_NEAR(distance.at(0, 1), 3, 1e-15);
    EXPECT_NEAR(distance.at(1, 0), 3, 1e-15);
    EXPECT_NEAR(distance.at(0, 2), 6, 1e-15);
    EXPECT_TRUE(std::isnan(distance.at(0, 0)));
    EXPECT_TRUE(std::isnan(distance.at(0, 3))) << "a cluster that the section lacks";
    const auto near = proximity(distance);
    EXPECT_EQ(near.at(0, 1), 1);
    EXPECT_EQ(near.at(0, 2), 0);
    EXPECT_TRUE(std::isnan(near.at(0, 3)));
}

const std::vector<test::SyntheticSample> kSamples = {{.name = "a", .spots = 60},
                                                     {.name = "b", .spots = 47}};

atlas::Run make_run(const comm::Comm& comm, const std::filesystem::path& path) {
    test::make_atlas(comm, path, kSamples);
    comm.root_or_throw([&] {
        const auto atlas = atlas::ShardedAtlas::open(path);
        atlas::Run::Setup setup;
        setup.features = test::all_features();
        const auto run = atlas::Run::create(atlas, "main", setup);
        for (const auto& sample : kSamples) {
            const auto joint = test::synthetic_sample(sample, "cohort");
            io::AnnData result;
            result.obs = joint.obs;
            result.obsm["spatial"] = joint.modalities.front().second.obsm.at("spatial");
            result.obsm["X_smeta"] = result.obsm["spatial"];
            std::vector<std::string> cluster;
            std::vector<double> share;
            for (std::int64_t r = 0; r < sample.spots; ++r) {
                cluster.push_back(std::to_string(r % 10 / 4));
                share.push_back(static_cast<double>(r % 7) / 7);
            }
            result.obs.set("cluster", cluster);
            result.obs.set("contribution_st", share);
            run.write_result(sample.name, result);
        }
    });
    const auto atlas = atlas::ShardedAtlas::open(comm, path);
    return atlas::Run::open(comm, atlas, "main");
}

std::string tables(const RunNetwork& network) {
    return enrichment_tsv(network) + co_occurrence_tsv(network) + distance_tsv(network) +
           contribution_tsv(network);
}

TEST(NetworkMpi, AnyRankAndThreadCountGivesTheSameTables) {
    const test::TemporaryFolder alone;
    const auto self = comm::Comm::self();
    const auto expected =
        run_network(self, make_run(self, alone / "atlas"), {.permutations = 50, .radii = 5});
    ASSERT_EQ(expected.samples.size(), 3U);
    EXPECT_EQ(expected.samples[0].sample, kAllSamples);
    EXPECT_EQ(expected.contributions.size(), 9U);
    EXPECT_GT(expected.samples[0].enrichment.z.at(0, 0), 3) << "clusters are stripes";
    test::on_each_communicator([&](const comm::Comm& comm) {
        const test::TemporaryFolder folder(comm);
        const auto run = make_run(comm, folder / "atlas");
        for (const int threads : {1, 3}) {
            core::set_threads(threads);
            EXPECT_EQ(tables(run_network(comm, run, {.permutations = 50, .radii = 5})),
                      tables(expected));
        }
        core::set_threads(1);
        try {
            run_network(comm, run, {.key = "region"});
            ADD_FAILURE() << "a column that is not there";
        } catch (const core::Error& error) {
            EXPECT_EQ(error.exit_code(), core::kExitUserInput);
        }
    });
}

}  // namespace
}  // namespace smeta::analysis
