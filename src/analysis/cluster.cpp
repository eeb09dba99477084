#include "smeta/analysis/cluster.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "smeta/analysis/connectivities.hpp"
#include "smeta/analysis/knn.hpp"
#include "smeta/analysis/latent.hpp"
#include "smeta/analysis/leiden.hpp"
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

constexpr int kNeighborsVersion = 1;
constexpr int kClusterVersion = 1;

io::UnsValue uns_text(std::string value) {
    return {std::move(value)};
}

std::string neighbors_key(const RunLatent& latent, std::int32_t neighbors) {
    return core::to_hex(core::hash128(
        fmt::format("neighbors {} {} {}", kNeighborsVersion, latent.checksum, neighbors)));
}

std::string cluster_key(const std::string& graph_key, const ClusterConfig& config,
                        std::uint64_t seed) {
    return core::to_hex(
        core::hash128(fmt::format("cluster {} {} {} {} {}", kClusterVersion, graph_key,
                                  config.resolution, config.iterations, seed)));
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
                           std::int32_t neighbors) {
    const auto key = neighbors_key(latent, neighbors);
    if (root_says(comm, [&] { return graph_is_current(run.neighbors_file(), key); }))
        return StageResult::Current;
    const auto nearest = gather_nearest_neighbors(comm, latent.latent, neighbors - 1);
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
    return StageResult::Done;
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
    return make_neighbors(comm, run, latent, config.neighbors_for(latent.samples.size()));
}

StageResult run_cluster(const comm::Comm& comm, const atlas::Run& run, const ClusterConfig& config,
                        std::uint64_t seed) {
    const auto latent = read_latent(comm, run);
    const auto neighbors = config.neighbors_for(latent.samples.size());
    make_neighbors(comm, run, latent, neighbors);
    const auto key = cluster_key(neighbors_key(latent, neighbors), config, seed);
    const auto is_mine = [&](std::size_t s) {
        return static_cast<int>(s) % comm.size() == comm.rank();
    };

    std::int32_t stale = 0;
    comm.all_or_throw([&] {
        for (std::size_t s = 0; s < latent.samples.size(); ++s)
            if (is_mine(s) &&
                atlas::key_in(run.read_result(latent.samples[s]).uns, "cluster") != key)
                stale = 1;
    });
    if (comm.allreduce(stale, comm::ReduceOp::Max) == 0) return StageResult::Current;

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
    comm.all_or_throw([&] {
        for (std::size_t s = 0; s < latent.samples.size(); ++s)
            if (is_mine(s))
                store_clusters(run, latent.samples[s],
                               {labels.begin() + latent.first_row[s],
                                labels.begin() + latent.first_row[s + 1]},
                               clusters, key);
    });
    core::log_info("clusters: {} on {} spots at resolution {}", clusters, latent.rows(),
                   config.resolution);
    return StageResult::Done;
}

}  // namespace smeta::analysis
