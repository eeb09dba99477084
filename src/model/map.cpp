#include "smeta/model/map.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/io/atomic_file.hpp"
#include "smeta/model/grow.hpp"
#include "smeta/model/run_model.hpp"

#include "fit.hpp"
#include "map_reference.hpp"
#include "map_rows.hpp"

namespace smeta::model {

namespace {

io::UnsDict coverage_uns(const std::map<std::string, atlas::Coverage>& coverage) {
    io::UnsDict result;
    for (const auto& [modality, found] : coverage) {
        io::UnsDict numbers;
        numbers["features"] = {found.features};
        numbers["measured"] = {found.measured()};
        numbers["by_name"] = {found.by_name};
        numbers["by_id"] = {found.by_id};
        numbers["by_mass"] = {found.by_mass};
        result[modality] = {numbers};
    }
    return result;
}

class Mapper {
  public:
    Mapper(const comm::Comm& comm, const atlas::Run& run, const LoadedModel& model,
           const atlas::QueryInputs& inputs, const atlas::RowSource& source,
           const MapOptions& options)
        : comm_(comm),
          run_(run),
          model_(model),
          inputs_(inputs),
          source_(source),
          options_(options),
          columns_(model.cvae.options()) {}

    MappedSample describe(std::int32_t sample) const {
        MappedSample mapped;
        mapped.name = source_.samples()[sample];
        mapped.cohort = inputs_.rows.samples[sample].cohort;
        mapped.rows = source_.sample_rows(sample);
        for (const auto& [modality, coverage] : inputs_.coverage[sample]) {
            const auto& blocks = model_.cvae.options().blocks;
            if (std::any_of(blocks.begin(), blocks.end(),
                            [&](const auto& block) { return block.name == modality; }))
                mapped.coverage[modality] = coverage;
        }
        for (std::size_t level = 0; level < model_.context.batch_keys.size(); ++level)
            if (!source_.unseen(sample)[level].empty())
                mapped.unseen[model_.context.batch_keys[level]] = source_.unseen(sample)[level];
        return mapped;
    }

    core::MatrixF posterior(std::int32_t sample, int writer) const {
        return work_on_sample(
            comm_, source_, sample, columns_.width() + columns_.modalities, writer,
            [this](const Chunk& chunk) { return posterior_and_fit(model_, source_, chunk); });
    }

    core::MatrixF prediction(std::int32_t sample, std::int32_t target, int writer) const {
        return work_on_sample(comm_, source_, sample,
                              model_.cvae.options().blocks[target].features + 1, writer,
                              [&](const Chunk& chunk) { return predict(model_, target, chunk); });
    }

    void write(std::int32_t sample, const core::MatrixF& rows) const {
        const atlas::JointReader joint = open(sample);
        io::AnnData result;
        result.obs = joint.obs();
        add_posterior(rows, model_.cvae.options(), result);
        for (std::int64_t m = 0; m < columns_.modalities; ++m) {
            const auto fit = rows.col(columns_.width() + m);
            result.obs.set("fit_" + model_.cvae.options().blocks[m].name,
                           std::vector<float>(fit.begin(), fit.end()));
        }
        for (const char* places : {"spatial", "spatial_3d"})
            if (joint.has_obsm(places)) result.obsm[places] = joint.obsm(places);
        const MappedSample mapped = describe(sample);
        io::UnsDict notes;
        notes["run"] = {run_.name()};
        notes["model"] = {core::to_hex(io::file_checksum(run_.model_file().string()))};
        notes["coverage"] = {coverage_uns(mapped.coverage)};
        io::UnsDict unseen;
        for (const auto& [level, names] : mapped.unseen) unseen[level] = {names};
        notes["unseen"] = {unseen};
        result.uns["smeta_map"] = {notes};
        run_.write_mapped(run_.map_file(options_.folder, mapped.name), result);
    }

    void write_prediction(std::int32_t sample, std::int32_t target,
                          const core::MatrixF& rows) const {
        const ModalityBlock& block = model_.cvae.options().blocks[target];
        const std::string& name = source_.samples()[sample];
        io::AnnData result;
        result.obs.index = open(sample).obs().index;
        const auto flags = rows.col(block.features);
        result.obs.set("predicted", std::vector<std::uint8_t>(flags.begin(), flags.end()));
        result.var = inputs_.rows.features.find(block.name)->var;
        result.x = core::MatrixF(rows.leftCols(block.features));
        run_.write_mapped(run_.prediction_file(options_.folder, block.name, name), result);
    }

    /// Prediction against what the sample measured; no spots where it did not. Local.
    PredictionScore score(std::int32_t sample, std::int32_t target,
                          const core::MatrixF& rows) const {
        const ModalityBlock& block = model_.cvae.options().blocks[target];
        PredictionScore score;
        score.sample = source_.samples()[sample];
        score.modality = block.name;
        if (!inputs_.rows.samples[sample].modalities.contains(block.name)) return score;
        FeatureCorrelation predicted(block.features);
        FeatureCorrelation own(block.features);
        std::vector<double> observed(block.features);
        for (const auto& range : blocks_of(source_, sample)) {
            const Chunk chunk = read_chunk(source_, sample, range);
            const core::MatrixF reconstruction = reconstruct(model_, target, chunk);
            const ModalityRows& present = chunk.modalities[target];
            const core::CsrView view = present.values.view();
            for (std::size_t i = 0; i < present.rows.size(); ++i) {
                const std::int64_t row = range.first + present.rows[i];
                if (rows(row, block.features) == 0) continue;
                const double scale = block.mean_head == MeanHead::SoftmaxLibrary
                                         ? kPredictedTotal / present.libraries[i]
                                         : 1.0;
                std::fill(observed.begin(), observed.end(), 0.0);
                const auto columns = view.row_indices(static_cast<std::int64_t>(i));
                const auto values = view.row_values(static_cast<std::int64_t>(i));
                for (std::size_t k = 0; k < columns.size(); ++k)
                    observed[columns[k]] = scale * values[k];
                predicted.add(observed, row_of(rows, row).first(block.features));
                own.add(observed, row_of(reconstruction, present.rows[i]));
            }
        }
        score.spots = predicted.rows();
        const auto& mask = source_.measured(sample, target);
        const auto& names = inputs_.rows.features.find(block.name)->names();
        for (std::int32_t f = 0; f < block.features; ++f) {
            if ((!mask.empty() && mask[f] == 0) || predicted.is_constant(f)) continue;
            score.features.push_back(names[f]);
            score.pearson.push_back(predicted.pearson(f));
            score.own.push_back(own.pearson(f));
        }
        return score;
    }

  private:
    atlas::JointReader open(std::int32_t sample) const {
        return {inputs_.rows.root, source_.samples()[sample], inputs_.rows.samples[sample].files};
    }

    const comm::Comm& comm_;
    const atlas::Run& run_;
    const LoadedModel& model_;
    const atlas::QueryInputs& inputs_;
    const atlas::RowSource& source_;
    const MapOptions& options_;
    PosteriorColumns columns_;
};

/// Positions of the modalities to predict.
std::vector<std::int32_t> targets_of(const atlas::Run& run, const NetworkOptions& network,
                                     const std::vector<std::string>& wanted) {
    std::vector<std::int32_t> targets;
    std::string known;
    for (const auto& block : network.blocks) known += " " + block.name;
    for (const auto& name : wanted) {
        const auto found = std::find_if(network.blocks.begin(), network.blocks.end(),
                                        [&](const auto& block) { return block.name == name; });
        if (found == network.blocks.end())
            throw core::ConfigError(fmt::format("--predict {}: run '{}' has the modalities{}", name,
                                                run.name(), known));
        if (network.blocks.size() == 1)
            throw core::ConfigError(fmt::format(
                "--predict {}: it is the only modality of run '{}': nothing to predict it from",
                name, run.name()));
        targets.push_back(static_cast<std::int32_t>(found - network.blocks.begin()));
    }
    return targets;
}

/// What stands in for features that a sample lacks must be known. The same on every rank.
void check_means(const atlas::Run& run, const LoadedModel& model, const atlas::RowSource& source) {
    for (std::size_t s = 0; s < source.samples().size(); ++s)
        for (std::size_t m = 0; m < model.context.mean_inputs.size(); ++m)
            if (!source.measured(static_cast<std::int32_t>(s), m).empty() &&
                model.context.mean_inputs[m].empty())
                throw core::FormatError(
                    {.file = run.model_file().string(),
                     .object = fmt::format("mean_inputs/{}", m),
                     .expected =
                         fmt::format("the training mean of each feature of {}, because "
                                     "query sample '{}' did not measure all of them",
                                     model.cvae.options().blocks[m].name, source.samples()[s]),
                     .found = "none: an earlier smeta wrote the model",
                     .hint = fmt::format("train a run of the same samples anew: smeta train --run "
                                         "NEW --from {}",
                                         run.name())});
}

/// 1 for each batch level of which some sample has a category that the model does not know.
std::vector<std::uint8_t> unseen_levels(const atlas::RowSource& source,
                                        const ModelContext& context) {
    std::vector<std::uint8_t> levels(context.batch_keys.size(), 0);
    for (std::size_t s = 0; s < source.samples().size(); ++s)
        for (std::size_t level = 0; level < levels.size(); ++level)
            if (!source.unseen(static_cast<std::int32_t>(s))[level].empty()) levels[level] = 1;
    return levels;
}

/// The scores of all ranks on every rank, by sample, then modality. Collective.
std::vector<PredictionScore> share_scores(const comm::Comm& comm,
                                          const std::vector<PredictionScore>& mine) {
    // No number in JSON is NaN; null is read as it.
    const auto numbers = [](const nlohmann::json& values) {
        std::vector<double> result;
        for (const auto& value : values)
            result.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                             : value.get<double>());
        return result;
    };
    nlohmann::json part = nlohmann::json::array();
    for (const auto& score : mine)
        part.push_back(
            {score.sample, score.modality, score.spots, score.features, score.pearson, score.own});
    std::vector<PredictionScore> all;
    for (const auto& text : comm.allgather(part.dump()))
        for (const auto& row : nlohmann::json::parse(text))
            all.push_back({row[0], row[1], row[2], row[3].get<std::vector<std::string>>(),
                           numbers(row[4]), numbers(row[5])});
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return std::tie(a.sample, a.modality) < std::tie(b.sample, b.modality);
    });
    return all;
}

}  // namespace

double quantile_of_finite(const std::vector<double>& values, double share) {
    std::vector<double> sorted;
    for (const double value : values)
        if (!std::isnan(value)) sorted.push_back(value);
    if (sorted.empty()) return std::numeric_limits<double>::quiet_NaN();
    std::sort(sorted.begin(), sorted.end());
    const double at = share * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    const double part = at - static_cast<double>(below);
    return sorted[below] * (1 - part) + sorted[above] * part;
}

MapOutcome map_query(const comm::Comm& comm, const atlas::Run& run, const atlas::QueryFile& query,
                     const MapOptions& options, core::Timings& timings) {
    LoadedModel model = with_unseen_category(load_model(comm, run.model_file()));
    const auto targets = targets_of(run, model.cvae.options(), options.predict);
    atlas::QueryInputs inputs;
    comm.all_or_throw([&] { inputs = query.inputs(run.features(), options.mz_ppm); });
    atlas::RowSourceConfig config = source_config(model);
    config.categories = model.context.categories;
    const atlas::RowSource source(comm, inputs.rows, config);
    check_means(run, model, source);
    MapOutcome outcome;
    {
        const core::Timings::Scope scope(timings, "map/reference");
        outcome.reference =
            reference_rows(comm, run, model, unseen_levels(source, model.context), options);
    }
    model.cvae.set_unmeasured(unmeasured_features(source, model.context.mean_inputs));
    const Mapper mapper(comm, run, model, inputs, source, options);
    const auto samples = static_cast<std::int32_t>(source.samples().size());
    core::Progress progress("map", samples);
    std::vector<PredictionScore> scores;
    // As many samples at a time as there are ranks: each rank writes one of them.
    for (std::int32_t first = 0; first < samples; first += comm.size()) {
        const std::int32_t last = std::min(first + comm.size(), samples);
        const std::int32_t own = first + comm.rank();
        const core::Timings::Scope scope(timings, "map/encode");
        core::MatrixF rows;
        for (std::int32_t s = first; s < last; ++s) {
            core::MatrixF gathered = mapper.posterior(s, s - first);
            if (s == own) rows = std::move(gathered);
        }
        comm.all_or_throw([&] {
            if (own < last) mapper.write(own, rows);
        });
        for (const std::int32_t target : targets) {
            for (std::int32_t s = first; s < last; ++s) {
                core::MatrixF gathered = mapper.prediction(s, target, s - first);
                if (s == own) rows = std::move(gathered);
            }
            comm.all_or_throw([&] {
                if (own >= last) return;
                mapper.write_prediction(own, target, rows);
                scores.push_back(mapper.score(own, target, rows));
            });
        }
        progress.advance(last - first);
    }
    for (std::int32_t s = 0; s < samples; ++s) outcome.samples.push_back(mapper.describe(s));
    outcome.predictions = share_scores(comm, scores);
    return outcome;
}

}  // namespace smeta::model
