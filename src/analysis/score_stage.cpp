#include "smeta/analysis/score_stage.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "smeta/analysis/connectivities.hpp"
#include "smeta/analysis/coordinates.hpp"
#include "smeta/analysis/embedding_file.hpp"
#include "smeta/analysis/graph_scores.hpp"
#include "smeta/analysis/latent.hpp"
#include "smeta/analysis/leiden.hpp"
#include "smeta/analysis/marker_scores.hpp"
#include "smeta/analysis/normalised.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/tsv.hpp"

namespace smeta::analysis {
namespace {

using Json = nlohmann::ordered_json;

/// Texts that stand for no label (is_unlabelled).
const std::vector<std::string> kNoLabel = {"nan",        "NaN",       "NA",     "undetermined",
                                           "unlabelled", "unlabeled", "unknown"};

std::vector<std::int32_t> find_clusters(const comm::Comm& comm, const core::MatrixD& points,
                                        const ScoreRequest& request, std::size_t samples) {
    const auto nearest = gather_nearest_neighbors(
        comm, points, request.cluster.neighbors_for(samples) - 1, request.cluster.recall);
    std::vector<std::int32_t> clusters;
    comm.root_or_throw([&] {
        clusters = leiden(connectivities(nearest).view(),
                          {request.cluster.resolution, request.cluster.iterations, request.seed});
    });
    comm.broadcast(clusters);
    return clusters;
}

std::int64_t distinct(std::vector<std::int32_t> codes) {
    std::sort(codes.begin(), codes.end());
    const auto end = std::unique(codes.begin(), codes.end());
    return end - codes.begin() - (!codes.empty() && codes.front() < 0 ? 1 : 0);
}

/// Bounds of the intervals: 95 % of the replicates lie within.
constexpr double kLow = 0.025;
constexpr double kHigh = 0.975;

std::vector<std::pair<std::string, double>> named_parts(const PublishedTotals& totals) {
    return {{"continuity", totals.continuity},
            {"markers", totals.markers},
            {"reconstruction", totals.reconstruction},
            {"biology", totals.biology},
            {"batch", totals.batch},
            {"cross_modality", totals.cross_modality},
            {"cross_sample", totals.cross_sample},
            {"total", totals.total}};
}

Json number(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json score_json(const Score& score) {
    Json json = {{"group", to_string(score.group)}};
    Json samples = Json::object();
    for (const auto& value : score.values) {
        Json entry = {{"value", number(value.value)}, {"spots", value.spots}};
        if (!value.replicates.empty()) {
            entry["low"] = number(value.bound(kLow));
            entry["high"] = number(value.bound(kHigh));
        }
        if (value.scope == kScopeAll || value.scope == kScopeMean)
            json[value.scope] = entry;
        else
            samples[value.scope] = entry;
    }
    if (!samples.empty()) json["samples"] = std::move(samples);
    return json;
}

/// Of each embedding's clusters.
std::vector<std::vector<Score>> score_markers(const comm::Comm& comm, const atlas::Run& run,
                                              const ScoredSpots& spots,
                                              const std::vector<Embedding>& embeddings,
                                              const ScoreRequest& request) {
    std::vector<std::vector<Score>> scores(embeddings.size());
    if (request.markers == MarkerScores::LeaveOut) return scores;
    std::vector<std::span<const std::int32_t>> clusterings;
    for (const auto& embedding : embeddings) clusterings.emplace_back(embedding.clusters);
    scores = marker_scores(
        comm, run, spots, clusterings,
        {.seed = request.seed, .replicates = request.replicates, .memory = request.memory});
    for (auto& own : scores)
        for (auto& score : own) add_mean_of_samples(score);
    return scores;
}

}  // namespace

RunScores score_run(const comm::Comm& comm, const atlas::Run& run, const ScoreRequest& request) {
    const auto latent = read_latent(comm, run);
    RunScores result;
    result.run = run.name();
    result.request = request;
    result.samples = latent.samples;
    ScoredSpots spots;
    spots.samples = latent.samples;
    spots.first_row = latent.first_row;
    spots.position = read_coordinates(comm, run);
    spots.batches = read_groups(comm, run, latent.samples, request.batch, kNoLabel);
    if (!request.label.empty())
        spots.labels = read_groups(comm, run, latent.samples, request.label, kNoLabel);

    std::vector<Embedding> embeddings;
    embeddings.push_back({"smeta", "obsm/X_smeta of the run's results", latent.latent,
                          read_groups(comm, run, latent.samples, "cluster").codes});
    const auto add = [&](std::string name, std::string source, core::MatrixD points) {
        auto clusters = find_clusters(comm, points, request, latent.samples.size());
        embeddings.push_back(
            {std::move(name), std::move(source), std::move(points), std::move(clusters)});
    };
    if (request.components > 0) {
        auto before = run_components(comm, run, request.components, request.seed);
        if (const double share = batch_variance(before.scores, spots.batches.codes); share > 0)
            spots.variance_before = share;
        result.component_variances = std::move(before.variance);
        add("pca",
            fmt::format("{} principal components of the run's features", before.scores.cols()),
            std::move(before.scores));
    }
    for (const auto& other : request.others)
        add(fmt::format("{}:{}", std::filesystem::path(other.file).stem().string(), other.key),
            fmt::format("obsm/{} of {}", other.key, other.file),
            read_embedding(comm, other.file, other.key, latent));

    result.spots = spots.rows();
    result.batches = spots.batches.names;
    if (spots.labels) {
        result.labels = spots.labels->names;
        result.labelled = std::count_if(spots.labels->codes.begin(), spots.labels->codes.end(),
                                        [](auto code) { return code >= 0; });
    }
    const auto markers = score_markers(comm, run, spots, embeddings, request);
    for (std::size_t e = 0; e < embeddings.size(); ++e) {
        const auto& embedding = embeddings[e];
        auto scores = score_embedding(comm, embedding, spots,
                                      {request.replicates, request.seed, request.kbet});
        scores.insert(scores.end(), markers[e].begin(), markers[e].end());
        if (e == 0)
            scores.insert(scores.end(), request.reconstruction.begin(),
                          request.reconstruction.end());
        std::stable_sort(scores.begin(), scores.end(),
                         [](const Score& a, const Score& b) { return a.group < b.group; });
        result.embeddings.push_back({embedding.name, embedding.source, embedding.points.cols(),
                                     distinct(embedding.clusters), std::move(scores)});
        core::log_info("scored '{}': {} dimensions, {} clusters", embedding.name,
                       embedding.points.cols(), result.embeddings.back().clusters);
    }
    std::vector<ComparedScores> compared;
    for (const auto& embedding : result.embeddings)
        compared.push_back({embedding.name, embedding.scores});
    result.published = published_totals(
        compared, spots.samples.size() > 1 ? Comparison::SeveralSamples : Comparison::OneSample);
    return result;
}

std::string scores_json(const RunScores& scores) {
    const auto or_null = [](const std::string& text) {
        return text.empty() ? Json(nullptr) : Json(text);
    };
    Json json = {{"run", scores.run},
                 {"spots", scores.spots},
                 {"samples", scores.samples},
                 {"label", or_null(scores.request.label)},
                 {"labels", scores.labels},
                 {"labelled_spots", scores.labelled},
                 {"batch", scores.request.batch},
                 {"batches", scores.batches},
                 {"seed", scores.request.seed},
                 {"bootstrap", scores.request.replicates},
                 {"pca_variances", scores.component_variances}};
    Json embeddings = Json::array();
    for (const auto& embedding : scores.embeddings) {
        Json by_name = Json::object();
        for (const auto& score : embedding.scores) by_name[score.name] = score_json(score);
        embeddings.push_back({{"name", embedding.name},
                              {"source", embedding.source},
                              {"dimensions", embedding.dimensions},
                              {"clusters", embedding.clusters},
                              {"scores", std::move(by_name)}});
    }
    json["embeddings"] = std::move(embeddings);
    Json published = Json::array();
    for (const auto& totals : scores.published) {
        Json parts = {{"name", totals.name}};
        for (const auto& [name, value] : named_parts(totals)) parts[name] = number(value);
        published.push_back(std::move(parts));
    }
    json["published_totals"] = std::move(published);
    return json.dump(2) + "\n";
}

std::string scores_tsv(const RunScores& scores) {
    io::TsvText table({"embedding", "group", "score", "scope", "spots", "value", "low", "high"});
    for (const auto& embedding : scores.embeddings)
        for (const auto& score : embedding.scores)
            for (const auto& value : score.values)
                table.row(embedding.name, to_string(score.group), score.name, value.scope,
                          value.spots, value.value, value.bound(kLow), value.bound(kHigh));
    return table.text();
}

std::string published_tsv(const RunScores& scores) {
    io::TsvText table({"embedding", "part", "value"});
    for (const auto& totals : scores.published)
        for (const auto& [name, value] : named_parts(totals)) table.row(totals.name, name, value);
    return table.text();
}

}  // namespace smeta::analysis
