#include "smeta/analysis/placement.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "smeta/analysis/calibration.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/threads.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/spatial/knn.hpp"

namespace smeta::analysis {

namespace {

const std::string kDistance = "distance";
const std::string kFit = "fit_";

std::span<const double> point(const core::MatrixD& points, std::int64_t row) {
    return {points.data() + row * points.cols(), static_cast<std::size_t>(points.cols())};
}

/// Distance to the k-th nearest point of another sample; of any but itself where there is one
/// sample. As many as are needed are asked for.
double distance_to_others(const spatial::PointIndex& index, const core::MatrixD& points,
                          const std::vector<std::int32_t>& sample_of, std::int64_t row,
                          std::int64_t k, bool several) {
    for (std::int64_t wanted = 4 * k;; wanted *= 4) {
        const auto nearest = index.nearest(point(points, row), wanted, row);
        std::int64_t found = 0;
        double last = 0;
        for (const auto& neighbour : nearest) {
            if (several && sample_of[neighbour.row] == sample_of[row]) continue;
            last = neighbour.distance;
            if (++found == k) return last;
        }
        if (std::ssize(nearest) < wanted) return last;  // there are fewer
    }
}

}  // namespace

std::vector<double> reference_distances(const comm::Comm& comm, const RunLatent& latent,
                                        std::int64_t neighbors,
                                        std::span<const std::int64_t> rows) {
    const spatial::PointIndex index(latent.latent);
    const auto sample_of = latent.sample_of_row();
    const comm::Range mine = comm::even_share(std::ssize(rows), comm.size(), comm.rank());
    std::vector<double> distances(mine.size());
#pragma omp parallel for schedule(dynamic, 16) num_threads(core::threads())
    for (std::int64_t i = mine.first; i < mine.last; ++i)
        distances[i - mine.first] = distance_to_others(index, latent.latent, sample_of, rows[i],
                                                       neighbors, latent.samples.size() > 1);
    std::vector<double> all;
    for (const auto& part : comm.allgather(std::span<const double>(distances)))
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

std::vector<std::string> training_labels(const comm::Comm& comm, const atlas::Run& run,
                                         const std::string& column) {
    const auto samples = run.samples();
    std::vector<std::string> texts(samples.size());
    std::set<std::string> others;
    std::int32_t found = 0;
    comm.all_or_throw([&] {
        for (std::size_t s = comm.rank(); s < samples.size(); s += comm.size()) {
            const auto obs = run.read_result(samples[s]).obs;
            for (const auto& [name, values] : obs.columns) others.insert(name);
            const bool has = obs.find(column) != nullptr;
            found |= has ? 1 : 0;
            for (const auto& text :
                 has ? obs.as_text(column, samples[s]) : std::vector<std::string>(obs.index.size()))
                texts[s].append(text).push_back('\0');
        }
    });
    if (comm.allreduce(found, comm::ReduceOp::Max) == 0) {
        const auto close = core::did_you_mean(column, {others.begin(), others.end()});
        throw core::ConfigError(fmt::format(
            "--labels {}: no result of run '{}' has this obs column{}; it has {}", column,
            run.name(), close ? fmt::format("; did you mean '{}'?", *close) : "",
            fmt::join(others, ", ")));
    }
    std::vector<std::string> labels;
    for (std::size_t s = 0; s < samples.size(); ++s) {
        comm.broadcast(texts[s], static_cast<int>(s % comm.size()));
        for (std::size_t at = 0, end = 0; (end = texts[s].find('\0', at)) != std::string::npos;
             at = end + 1)
            labels.push_back(texts[s].substr(at, end - at));
    }
    if (std::all_of(labels.begin(), labels.end(), is_unlabelled))
        throw core::ConfigError(fmt::format("--labels {}: no training spot of run '{}' has a label",
                                            column, run.name()));
    return labels;
}

namespace {

/// What query spots are compared with.
struct Reference {
    spatial::PointIndex index;
    Calibration calibration;
    std::optional<LabelledPoints> labelled;
};

Calibration calibrate(const comm::Comm& comm, const RunLatent& latent, const MapConfig& config,
                      const PlacementOptions& options) {
    std::map<std::string, std::vector<double>> reference;
    reference[kDistance] =
        reference_distances(comm, latent, config.neighbors, options.reference_rows);
    for (const auto& [modality, fits] : options.reference_fit)
        for (const float fit : fits) reference[kFit + modality].push_back(-double{fit});
    return {reference, config.flagged_share};
}

Reference make_reference(const comm::Comm& comm, const RunLatent& latent, const MapConfig& config,
                         const PlacementOptions& options) {
    Reference reference{.index = spatial::PointIndex(latent.latent),
                        .calibration = calibrate(comm, latent, config, options),
                        .labelled = {}};
    if (options.labels.empty()) return reference;
    core::check(std::ssize(options.training_labels) == latent.rows(), "a label a training spot");
    reference.labelled.emplace(latent.latent, options.training_labels);
    return reference;
}

bool has_no_values(const io::Frame& obs, const std::vector<std::string>& modalities,
                   std::int64_t row) {
    return std::all_of(modalities.begin(), modalities.end(), [&](const auto& modality) {
        const auto* values = std::get_if<std::vector<float>>(obs.find("contribution_" + modality));
        return values == nullptr || (*values)[row] == 0;
    });
}

class SamplePlacer {
  public:
    SamplePlacer(const Reference& reference, const MapConfig& config,
                 const PlacementOptions& options)
        : reference_(reference), config_(config), options_(options) {}

    PlacedSample place(const std::string& sample, io::AnnData& mapped) const {
        PlacedSample placed;
        placed.name = sample;
        placed.rows = mapped.obs.rows();
        judge(mapped, placed);
        if (reference_.labelled) label(mapped, placed);
        return placed;
    }

  private:
    void judge(io::AnnData& mapped, PlacedSample& placed) const {
        const core::MatrixD& points = mapped.obsm.at("X_smeta");
        const auto modalities = modalities_of(mapped.obs);
        std::vector<double> distance(placed.rows);
        std::vector<Calibration::Verdict> verdicts(placed.rows);
#pragma omp parallel for schedule(dynamic, 64) num_threads(core::threads())
        for (std::int64_t row = 0; row < placed.rows; ++row) {
            const auto nearest = reference_.index.nearest(point(points, row), config_.neighbors);
            distance[row] = nearest.empty() ? 0 : nearest.back().distance;
            Strangeness strangeness{{kDistance, distance[row]}};
            for (const auto& modality : modalities)
                strangeness[kFit + modality] = -fit_of(mapped.obs, modality, row);
            verdicts[row] = reference_.calibration.judge(strangeness);
        }
        std::vector<double> p;
        std::vector<std::uint8_t> out;
        std::vector<std::string> reasons;
        for (std::int64_t row = 0; row < placed.rows; ++row) {
            auto& why = verdicts[row].reasons;
            if (has_no_values(mapped.obs, modalities, row)) why = {"no_values"};
            for (const auto& reason : why) ++placed.reasons[reason];
            p.push_back(verdicts[row].p);
            out.push_back(why.empty() ? 0 : 1);
            reasons.push_back(fmt::to_string(fmt::join(why, ",")));
        }
        placed.out = std::count(out.begin(), out.end(), 1);
        mapped.obs.set("ood_distance", distance);
        mapped.obs.set("ood_p", p);
        mapped.obs.set("out_of_distribution", out);
        mapped.obs.set("ood_reason", reasons);
    }

    static std::vector<std::string> modalities_of(const io::Frame& obs) {
        std::vector<std::string> modalities;
        for (const auto& [name, values] : obs.columns)
            if (name.starts_with(kFit) &&
                obs.find("contribution_" + name.substr(kFit.size())) != nullptr)
                modalities.push_back(name.substr(kFit.size()));
        return modalities;
    }

    static double fit_of(const io::Frame& obs, const std::string& modality, std::int64_t row) {
        const auto* values = std::get_if<std::vector<float>>(obs.find(kFit + modality));
        return values == nullptr ? std::numeric_limits<double>::quiet_NaN() : (*values)[row];
    }

    void label(io::AnnData& mapped, PlacedSample& placed) const {
        const core::MatrixD& points = mapped.obsm.at("X_smeta");
        std::vector<LabelledPoints::Vote> votes(placed.rows);
#pragma omp parallel for schedule(dynamic, 64) num_threads(core::threads())
        for (std::int64_t row = 0; row < placed.rows; ++row)
            votes[row] = reference_.labelled->vote(point(points, row), config_.neighbors);
        if (mapped.obs.find(options_.labels) != nullptr) {
            auto score = score_labels(mapped.obs.as_text(options_.labels, placed.name), votes);
            if (score.spots > 0) placed.labels = std::move(score);
        }
        std::vector<std::string> labels;
        std::vector<double> confidence;
        for (const auto& vote : votes) {
            labels.push_back(vote.label);
            confidence.push_back(vote.confidence);
        }
        mapped.obs.set("transfer_" + options_.labels, labels);
        mapped.obs.set("transfer_" + options_.labels + "_confidence", confidence);
    }

    const Reference& reference_;
    const MapConfig& config_;
    const PlacementOptions& options_;
};

nlohmann::json to_json(const PlacedSample& placed) {
    nlohmann::json json = {{"name", placed.name},
                           {"rows", placed.rows},
                           {"out", placed.out},
                           {"reasons", placed.reasons}};
    if (!placed.labels) return json;
    // Sums that the shares are of are derived on every rank from the same numbers.
    const LabelScore& score = *placed.labels;
    for (const auto& [label, counts] : score.labels)
        json["labels"][label] = {counts.spots, counts.given, counts.right};
    json["score"] = {score.spots,
                     score.right,
                     score.accuracy,
                     score.macro_f1,
                     score.majority,
                     score.confident_share,
                     std::isnan(score.confident_accuracy) ? -1 : score.confident_accuracy};
    return json;
}

PlacedSample from_json(const nlohmann::json& json) {
    PlacedSample placed;
    placed.name = json.at("name");
    placed.rows = json.at("rows");
    placed.out = json.at("out");
    placed.reasons = json.at("reasons").get<std::map<std::string, std::int64_t>>();
    if (!json.contains("score")) return placed;
    const auto& numbers = json.at("score");
    LabelScore score{.spots = numbers[0],
                     .right = numbers[1],
                     .accuracy = numbers[2],
                     .macro_f1 = numbers[3],
                     .majority = numbers[4],
                     .confident_share = numbers[5],
                     .confident_accuracy = numbers[6],
                     .labels = {}};
    if (score.confident_accuracy < 0)
        score.confident_accuracy = std::numeric_limits<double>::quiet_NaN();
    for (const auto& [label, counts] : json.at("labels").items())
        score.labels[label] = {counts[0], counts[1], counts[2]};
    placed.labels = std::move(score);
    return placed;
}

}  // namespace

std::vector<PlacedSample> place_query(const comm::Comm& comm, const atlas::Run& run,
                                      const MapConfig& config, const PlacementOptions& options) {
    const RunLatent latent = read_latent(comm, run);
    const Reference reference = make_reference(comm, latent, config, options);
    const SamplePlacer placer(reference, config, options);
    nlohmann::json mine = nlohmann::json::array();
    comm.all_or_throw([&] {
        for (std::size_t s = comm.rank(); s < options.samples.size(); s += comm.size()) {
            const auto file = run.map_file(options.folder, options.samples[s]);
            io::AnnData mapped = io::read_h5ad(file.string());
            mine.push_back(to_json(placer.place(options.samples[s], mapped)));
            run.write_mapped(file, mapped);
        }
    });
    std::vector<PlacedSample> all;
    for (const auto& part : comm.allgather(mine.dump()))
        for (const auto& json : nlohmann::json::parse(part)) all.push_back(from_json(json));
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return all;
}

}  // namespace smeta::analysis
