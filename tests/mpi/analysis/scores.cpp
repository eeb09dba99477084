#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "smeta/analysis/cluster.hpp"
#include "smeta/analysis/leiden.hpp"
#include "smeta/analysis/score_stage.hpp"
#include "smeta/analysis/silhouette.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/anndata.hpp"

#include "support/support.hpp"
#include "support/synthetic_run.hpp"

namespace smeta::analysis {
namespace {

const std::vector<test::SyntheticSample> kSamples = {{.name = "a", .spots = 130},
                                                     {.name = "b", .spots = 97}};

/// The joint spots with a label and a latent in which the label's three clouds overlap a little.
io::AnnData result_of(const test::SyntheticSample& sample) {
    const auto joint = test::synthetic_sample(sample, "cohort");
    io::AnnData result;
    result.obs = joint.obs;
    result.obsm["spatial"] = joint.modalities.front().second.obsm.at("spatial");
    const core::Philox random(9, core::DrawPurpose::Test, 0, {core::sample_key(sample.name), 0});
    std::vector<std::string> label;
    core::MatrixD latent(sample.spots, 4);
    for (std::int64_t r = 0; r < sample.spots; ++r) {
        label.push_back(r % 17 == 0 ? "undetermined" : "domain " + std::to_string(r % 3));
        for (int c = 0; c < 4; ++c)
            latent(r, c) = static_cast<float>(random.normal(static_cast<std::uint64_t>(r * 4 + c)) +
                                              (c == r % 3 ? 3 : 0));
    }
    result.obs.set("label", label);
    result.obsm["X_smeta"] = latent;
    result.float_obsm = {"X_smeta"};
    return result;
}

atlas::Run make_run(const comm::Comm& comm, const std::filesystem::path& path) {
    test::make_atlas(comm, path, kSamples);
    comm.root_or_throw([&] {
        const auto atlas = atlas::ShardedAtlas::open(path);
        atlas::Run::Setup setup;
        setup.features = test::all_features();
        const auto run = atlas::Run::create(atlas, "main", setup);
        for (const auto& sample : kSamples) run.write_result(sample.name, result_of(sample));
    });
    const auto atlas = atlas::ShardedAtlas::open(comm, path);
    return atlas::Run::open(comm, atlas, "main");
}

/// Another embedding of the spots, in another order, with a row too many.
void write_embedding(const std::filesystem::path& file) {
    io::AnnData data;
    std::vector<std::string> sample;
    std::vector<std::string> spot;
    std::vector<std::array<double, 2>> rows;
    for (const auto& s : {kSamples[1], kSamples[0]}) {
        const auto latent = result_of(s).obsm.at("X_smeta");
        for (std::int64_t r = s.spots - 1; r >= 0; --r) {
            sample.push_back(s.name);
            spot.push_back("spot" + std::to_string(r));
            rows.push_back({latent(r, 0), latent(r, 1)});
        }
    }
    sample.emplace_back("c");
    spot.emplace_back("spot0");
    rows.push_back({0, 0});
    core::MatrixD values(static_cast<Eigen::Index>(rows.size()), 2);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        data.obs.index.push_back("row" + std::to_string(r));
        values.row(static_cast<Eigen::Index>(r)) << rows[r][0], rows[r][1];
    }
    data.obs.set("sample", sample);
    data.obs.set("spot", spot);
    data.obsm["X_two"] = values;
    io::write_h5ad(file.string(), data);
}

ScoreRequest request_of(const std::filesystem::path& file) {
    return {.label = "label",
            .others = {{file.string(), "X_two"}},
            .components = 8,
            .replicates = 20,
            .kbet = Kbet::Compute};
}

RunScores scores_on(const comm::Comm& comm, const test::TemporaryFolder& folder) {
    const auto run = make_run(comm, folder / "atlas");
    comm.root_or_throw([&] { write_embedding(folder / "other.h5ad"); });
    run_cluster(comm, run, {}, 1);
    auto scores = score_run(comm, run, request_of(folder / "other.h5ad"));
    for (auto& embedding : scores.embeddings) embedding.source.clear();  // has the folder's name
    scores.request.others.clear();
    return scores;
}

TEST(ScoresMpi, AnyRankAndThreadCountGivesTheSameText) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    const test::TemporaryFolder alone;
    const auto expected = scores_on(comm::Comm::self(), alone);
    ASSERT_EQ(expected.embeddings.size(), 3U);
    test::on_each_communicator([&](const comm::Comm& comm) {
        for (const int threads : {1, 3}) {
            core::set_threads(threads);
            const test::TemporaryFolder folder(comm);
            const auto found = scores_on(comm, folder);
            EXPECT_EQ(scores_json(found), scores_json(expected));
            EXPECT_EQ(scores_tsv(found), scores_tsv(expected));
            EXPECT_EQ(published_tsv(found), published_tsv(expected));
        }
        core::set_threads(1);
    });
}

TEST(ScoresMpi, EveryScoreIsThereAndInItsRange) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    const auto scores = scores_on(world, folder);
    EXPECT_EQ(scores.spots, 227);
    EXPECT_EQ(scores.labels.size(), 3U);
    EXPECT_EQ(scores.batches, (std::vector<std::string>{"a", "b"}));
    for (const auto& embedding : scores.embeddings) {
        std::vector<std::string> names;
        for (const auto& score : embedding.scores) {
            names.push_back(score.name);
            for (const auto& value : score.values) {
                EXPECT_TRUE(std::isfinite(value.value)) << score.name << " " << value.scope;
                // Specificity is a ratio of means: from 1 to the number of clusters.
                EXPECT_LE(value.value, score.name.starts_with("specificity") ? 20 : 1.5)
                    << score.name;
                EXPECT_GE(value.value, -0.5) << score.name;
                ASSERT_EQ(value.replicates.size(), 20U) << score.name << " " << value.scope;
                if (score.group != ScoreGroup::Markers) continue;
                const auto [low, high] =
                    std::minmax_element(value.replicates.begin(), value.replicates.end());
                EXPECT_LE(*low, value.value + 1e-6) << score.name << " " << value.scope;
                EXPECT_GE(*high, value.value - 1e-6) << score.name << " " << value.scope;
            }
            const bool is_batch = score.group == ScoreGroup::Batch;
            EXPECT_EQ(std::isnan(score.at("a")),
                      is_batch || score.name == "isolated_label_asw_scib")
                << score.name;
        }
        EXPECT_EQ(names, (std::vector<std::string>{"chaos",
                                                   "pas",
                                                   "moran_sm",
                                                   "geary_sm",
                                                   "specificity_sm",
                                                   "logistic_sm",
                                                   "mutual_information_sm",
                                                   "moran_st",
                                                   "geary_st",
                                                   "specificity_st",
                                                   "logistic_st",
                                                   "mutual_information_st",
                                                   "ari",
                                                   "nmi",
                                                   "label_asw",
                                                   "isolated_label_asw",
                                                   "clisi",
                                                   "clisi_knn",
                                                   "graph_connectivity",
                                                   "isolated_label_asw_scib",
                                                   "batch_asw",
                                                   "batch_asw_label",
                                                   "ilisi",
                                                   "ilisi_knn",
                                                   "neighbor_mixing",
                                                   "kbet",
                                                   "kbet_label",
                                                   "batch_variance",
                                                   "pcr"}))
            << embedding.name;
    }
    const auto& smeta = scores.embeddings.front().scores;
    const auto value = [&](const std::string& name) {
        return std::find_if(smeta.begin(), smeta.end(),
                            [&](const Score& score) { return score.name == name; })
            ->at(kScopeAll);
    };
    EXPECT_GT(value("ari"), 0.5) << "clusters find the domains";
    EXPECT_GT(value("ilisi_knn"), 0.8) << "both samples are drawn alike";
}

TEST(ScoresMpi, MissingColumnsKeysAndSpotsAreTheUsersFault) {
    if (!have_leiden()) GTEST_SKIP() << "built without igraph";
    const comm::Comm world = comm::Comm::world();
    const test::TemporaryFolder folder(world);
    const auto run = make_run(world, folder / "atlas");
    const auto fails = [&](const ScoreRequest& request) {
        try {
            score_run(world, run, request);
        } catch (const core::Error& error) {
            return error.exit_code();
        }
        return 0;
    };
    EXPECT_EQ(fails({}), core::kExitUserInput) << "no clusters yet";
    run_cluster(world, run, {}, 1);
    EXPECT_EQ(fails({.label = "region"}), core::kExitUserInput);
    EXPECT_EQ(fails({.label = "", .batch = "slide"}), core::kExitUserInput);
    world.root_or_throw([&] { write_embedding(folder / "other.h5ad"); });
    auto request = request_of(folder / "other.h5ad");
    request.others[0].key = "X_three";
    EXPECT_EQ(fails(request), core::kExitUserInput);
    world.root_or_throw([&] {
        auto data = io::read_h5ad((folder / "other.h5ad").string());
        data.obs = data.obs.select({0, 1, 2});
        data.obsm["X_two"] = data.obsm["X_two"].topRows(3).eval();
        io::write_h5ad((folder / "other.h5ad").string(), data);
    });
    EXPECT_EQ(fails(request_of(folder / "other.h5ad")), core::kExitUserInput) << "spots missing";
    world.root_or_throw([&] {
        write_embedding(folder / "other.h5ad");
        auto data = io::read_h5ad((folder / "other.h5ad").string());
        std::vector<std::int64_t> rows(data.obs.rows() + 1, 0);  // the first once more at the end
        std::iota(rows.begin(), rows.end() - 1, 0);
        data.obs = data.obs.select(rows);
        core::MatrixD points(static_cast<Eigen::Index>(rows.size()), data.obsm["X_two"].cols());
        points << data.obsm["X_two"], data.obsm["X_two"].topRows(1);
        data.obsm["X_two"] = points;
        io::write_h5ad((folder / "other.h5ad").string(), data);
    });
    EXPECT_EQ(fails(request_of(folder / "other.h5ad")), core::kExitUserInput) << "a spot twice";
    EXPECT_EQ(fails({.label = "label", .components = 0}), 0);
}

}  // namespace
}  // namespace smeta::analysis
