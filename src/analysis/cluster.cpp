#include "smeta/analysis/cluster.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>

#include <fmt/format.h>

#include "smeta/analysis/connectivities.hpp"
#include "smeta/analysis/knn.hpp"
#include "smeta/analysis/latent.hpp"
#include "smeta/analysis/leiden.hpp"
#include "smeta/analysis/umap.hpp"
#include "smeta/atlas/stage.hpp"
#include "smeta/atlas/writer_lock.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/io/sealed_file.hpp"

namespace smeta::analysis {
namespace {

constexpr int kNeighborsVersion = 3;
constexpr int kClusterVersion = 1;
constexpr int kUmapVersion = 1;

io::UnsValue uns_text(std::string value) {
    return {std::move(value)};
}

std::string neighbors_key(const RunLatent& latent, const ClusterConfig& config) {
    return core::to_hex(
        core::hash128(fmt::format("neighbors {} {} {} {}", kNeighborsVersion, latent.checksum,
                                  config.neighbors_for(latent.samples.size()), config.recall)));
}

std::string cluster_key(const std::string& graph_key, const ClusterConfig& config,
                        std::uint64_t seed) {
    return core::to_hex(
        core::hash128(fmt::format("cluster {} {} {} {} {}", kClusterVersion, graph_key,
                                  config.resolution, config.iterations, seed)));
}

std::string umap_key(const std::string& graph_key, const UmapConfig& config, std::int64_t epochs,
                     std::uint64_t seed) {
    return core::to_hex(core::hash128(fmt::format("umap {} {} {} {} {} {} {}", kUmapVersion,
                                                  graph_key, config.min_dist, config.spread, epochs,
                                                  config.negative_samples, seed)));
}

io::AnnData neighbors_file(const RunLatent& latent, const NearestNeighbors& nearest,
                           std::int32_t neighbors, const std::string& key) {
    io::AnnData data;
    data.obs.index = latent.unique_names();
    data.obs.set("sample", io::Categorical{latent.sample_of_row(), latent.samples});
    data.obs.set("spot", latent.spots);
    data.obsp["distances"] = distance_matrix(nearest);
    data.obsp["connectivities"] = connectivities(nearest);
    io::UnsDict parameters;
    parameters["n_neighbors"] = {std::int64_t{neighbors}};
    parameters["method"] = uns_text("umap");
    parameters["metric"] = uns_text("euclidean");
    parameters["use_rep"] = uns_text("X_smeta");
    parameters["recall"] = {nearest.recall};
    io::UnsDict entry;
    entry["connectivities_key"] = uns_text("connectivities");
    entry["distances_key"] = uns_text("distances");
    entry["params"] = {parameters};
    data.uns["neighbors"] = {entry};
    atlas::set_key(data.uns, "neighbors", key);
    return data;
}

/// Whether neighbors.h5 carries this key; a damaged file does not.
bool graph_is_current(const std::filesystem::path& file, const std::string& key) {
    if (!std::filesystem::exists(file)) return false;
    try {
        return atlas::key_in(io::AnnDataReader(file.string()).uns(), "neighbors") == key;
    } catch (const core::Error& error) {
        core::log_warning("{} is made anew: {}", file.string(), error.what());
        return false;
    }
}

/// The root's answer on every rank. Collective.
bool root_says(const comm::Comm& comm, const std::function<bool()>& question) {
    std::int32_t answer = 0;
    comm.root_or_throw([&] { answer = question() ? 1 : 0; });
    comm.broadcast(answer);
    return answer != 0;
}

StageResult make_neighbors(const comm::Comm& comm, const atlas::Run& run, const RunLatent& latent,
                           const ClusterConfig& config) {
    const auto key = neighbors_key(latent, config);
    const auto neighbors = config.neighbors_for(latent.samples.size());
    if (root_says(comm, [&] { return graph_is_current(run.neighbors_file(), key); }))
        return StageResult::Current;
    const auto nearest =
        gather_nearest_neighbors(comm, latent.latent, neighbors - 1, config.recall);
    comm.root_or_throw([&] {
        const auto data = neighbors_file(latent, nearest, neighbors, key);
        const auto writing = atlas::writer_lock(run.atlas_path());
        io::replace_file(run.neighbors_file().string(), [&](const std::string& path) {
            io::write_h5ad(path, data);
            io::seal_file(path);
        });
    });
    core::log_info(
        "neighbours: {} nearest of each of {} spots in {} latent dimensions",
        std::min<std::int64_t>(neighbors - 1, std::max<std::int64_t>(latent.rows() - 1, 0)),
        latent.rows(), latent.latent.cols());
    if (config.recall < 1)
        core::log_info("neighbours: recall {:.4f}, measured on a sample of the spots",
                       nearest.recall);
    return StageResult::Done;
}

/// Calls work(sample's position) for the samples of this rank; votes. Collective.
void for_own_samples(const comm::Comm& comm, const RunLatent& latent,
                     const std::function<void(std::size_t)>& work) {
    comm.all_or_throw([&] {
        for (std::size_t s = comm.rank(); s < latent.samples.size();
             s += static_cast<std::size_t>(comm.size()))
            work(s);
    });
}

/// Whether every sample's results carry this key of a command. Collective.
bool results_are_current(const comm::Comm& comm, const atlas::Run& run, const RunLatent& latent,
                         const std::string& command, const std::string& key) {
    std::int32_t stale = 0;
    for_own_samples(comm, latent, [&](std::size_t s) {
        if (atlas::key_in(run.read_result(latent.samples[s]).uns, command) != key) stale = 1;
    });
    return comm.allreduce(stale, comm::ReduceOp::Max) == 0;
}

/// Adds the labels of one sample's rows to its results.
void store_clusters(const atlas::Run& run, const std::string& sample,
                    const std::vector<std::int32_t>& labels, std::int32_t clusters,
                    const std::string& key) {
    io::Categorical column{labels, {}};
    for (std::int32_t c = 0; c < clusters; ++c) column.categories.push_back(std::to_string(c));
    run.update_result(sample, [&](io::AnnData& result) {
        core::check(result.obs.rows() == static_cast<std::int64_t>(labels.size()),
                    "one label a spot");
        result.obs.set("cluster", column);
        atlas::set_key(result.uns, "cluster", key);
    });
}

}  // namespace

StageResult run_neighbors(const comm::Comm& comm, const atlas::Run& run,
                          const ClusterConfig& config) {
    const auto latent = read_latent(comm, run);
    return make_neighbors(comm, run, latent, config);
}

StageResult run_cluster(const comm::Comm& comm, const atlas::Run& run, const ClusterConfig& config,
                        std::uint64_t seed) {
    const auto latent = read_latent(comm, run);
    make_neighbors(comm, run, latent, config);
    const auto key = cluster_key(neighbors_key(latent, config), config, seed);
    if (results_are_current(comm, run, latent, "cluster", key)) return StageResult::Current;

    std::vector<std::int32_t> labels;
    comm.root_or_throw([&] {
        const auto graph = io::read_h5ad(run.neighbors_file().string());
        labels = leiden(
            graph.obsp.at("connectivities"),
            {.resolution = config.resolution, .iterations = config.iterations, .seed = seed});
    });
    comm.broadcast(labels);
    const std::int32_t clusters =
        labels.empty() ? 0 : *std::max_element(labels.begin(), labels.end()) + 1;
    for_own_samples(comm, latent, [&](std::size_t s) {
        store_clusters(
            run, latent.samples[s],
            {labels.begin() + latent.first_row[s], labels.begin() + latent.first_row[s + 1]},
            clusters, key);
    });
    core::log_info("clusters: {} on {} spots at resolution {}", clusters, latent.rows(),
                   config.resolution);
    return StageResult::Done;
}

StageResult run_umap(const comm::Comm& comm, const atlas::Run& run, const ClusterConfig& cluster,
                     const UmapConfig& config, std::uint64_t seed) {
    const auto latent = read_latent(comm, run);
    make_neighbors(comm, run, latent, cluster);
    const auto key =
        umap_key(neighbors_key(latent, cluster), config, config.epochs_for(latent.rows()), seed);
    if (results_are_current(comm, run, latent, "umap", key)) return StageResult::Current;

    std::vector<double> layout;
    comm.root_or_throw([&] {
        const auto graph = io::read_h5ad(run.neighbors_file().string());
        const core::MatrixD found = umap_layout(graph.obsp.at("connectivities").view(),
                                                umap_start(latent.latent), config, seed);
        layout.assign(found.data(), found.data() + found.size());
    });
    comm.broadcast(layout);
    const Eigen::Map<const core::MatrixD> all(layout.data(), latent.rows(), 2);
    for_own_samples(comm, latent, [&](std::size_t s) {
        run.update_result(latent.samples[s], [&](io::AnnData& result) {
            result.obsm["X_umap"] =
                all.middleRows(latent.first_row[s], latent.first_row[s + 1] - latent.first_row[s]);
            atlas::set_key(result.uns, "umap", key);
        });
    });
    core::log_info("umap: {} spots, {} epochs", latent.rows(), config.epochs_for(latent.rows()));
    return StageResult::Done;
}

}  // namespace smeta::analysis
