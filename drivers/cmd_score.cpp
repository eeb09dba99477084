#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "smeta/analysis/score_stage.hpp"
#include "smeta/atlas/listed_file.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/atlas/writer_lock.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/model/embed.hpp"
#include "smeta/model/reconstruction_fit.hpp"
#include "smeta/report/score_figure.hpp"

#include "command.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {

namespace {

struct ScoreOptions {
    RunOptions run;
    std::string label;
    std::string batch = "sample";
    std::vector<std::string> files;
    std::vector<std::string> keys;
    std::int32_t components = 50;
    bool no_markers = false;
    bool no_reconstruction = false;
    std::int64_t replicates = 200;
    bool kbet = false;
};

/// A file has the key in the same place, or all have the one key.
std::vector<analysis::EmbeddingFile> others(const ScoreOptions& options) {
    if (options.files.empty() && !options.keys.empty())
        throw core::ConfigError("--key names an embedding in a file: give --embedding FILE.h5ad");
    if (options.keys.size() != 1 && options.keys.size() != options.files.size())
        throw core::ConfigError(
            fmt::format("{} --embedding but {} --key: give one key for each file, or one for all",
                        options.files.size(), options.keys.size()));
    std::vector<analysis::EmbeddingFile> result;
    for (std::size_t f = 0; f < options.files.size(); ++f)
        result.push_back({options.files[f], options.keys[options.keys.size() == 1 ? 0 : f]});
    return result;
}

/// Over all spots, or the mean of the samples where a score exists only there.
double shown_value(const analysis::Score& score) {
    const double all = score.at(analysis::kScopeAll);
    return std::isnan(all) ? score.at(analysis::kScopeMean) : all;
}

/// pearson_<mod> and cosine_<mod> of the samples, their mean and all.
std::vector<analysis::Score> reconstruction_scores(Context& context, const atlas::Run& run,
                                                   std::int64_t replicates) {
    std::vector<analysis::Score> scores;
    const auto score = [&](const std::string& name) -> analysis::Score& {
        for (auto& known : scores)
            if (known.name == name) return known;
        return scores.emplace_back(analysis::Score{name, analysis::ScoreGroup::Reconstruction, {}});
    };
    const auto add = [&](const model::ReconstructionFit& fit, const std::string& name, double value,
                         std::span<const float> of_spots) {
        auto& known = score(name + "_" + fit.modality);
        const std::string scope = fit.sample.empty() ? analysis::kScopeAll : fit.sample;
        if (fit.sample.empty()) analysis::add_mean_of_samples(known);
        auto resampled = analysis::mean_of_spots(context.comm, scope, of_spots, replicates,
                                                 context.settings.seed);
        known.values.push_back({scope, fit.spots, value, std::move(resampled.replicates)});
    };
    const auto influence =
        replicates > 0 ? model::SpotInfluence::Compute : model::SpotInfluence::LeaveOut;
    for (const auto& fit :
         model::reconstruction_fit(context.comm, run, influence, context.timings)) {
        add(fit, "pearson", fit.pearson, fit.pearson_of_spots);
        add(fit, "cosine", fit.cosine, fit.cosine_of_spots);
    }
    return scores;
}

report::ScoreFigure figure_of(const analysis::RunScores& scores) {
    report::ScoreFigure figure{"scores", fmt::format("Scores of run {}", scores.run), {}, {}};
    for (const auto& embedding : scores.embeddings) {
        figure.embeddings.push_back(embedding.name);
        for (const auto& score : embedding.scores) {
            auto column = std::find_if(figure.columns.begin(), figure.columns.end(),
                                       [&](const auto& c) { return c.name == score.name; });
            if (column == figure.columns.end())
                column = figure.columns.insert(
                    figure.columns.end(),
                    {analysis::to_string(score.group), score.name, score.low_is_good(), {}});
            column->values.resize(figure.embeddings.size() - 1,
                                  std::numeric_limits<double>::quiet_NaN());
            column->values.push_back(shown_value(score));
        }
    }
    for (auto& column : figure.columns)
        column.values.resize(figure.embeddings.size(), std::numeric_limits<double>::quiet_NaN());
    return figure;
}

int run_score(Context& context, const ScoreOptions& options) {
    const atlas::Run run = open_run(context, options.run);
    analysis::ScoreRequest request{
        .label = options.label,
        .batch = options.batch,
        .others = others(options),
        .components = options.components,
        .cluster = context.settings.cluster,
        .seed = context.settings.seed,
        .markers =
            options.no_markers ? analysis::MarkerScores::LeaveOut : analysis::MarkerScores::Compute,
        .replicates = options.replicates,
        .kbet = options.kbet ? analysis::Kbet::Compute : analysis::Kbet::LeaveOut,
        .memory = memory_budget(context) / 2};
    if (context.options.dry_run) {
        print(context, fmt::format("run\t{}\nspots\t{}\nembeddings\t{}\nscores\t{}\n", run.name(),
                                   run.inputs().rows(),
                                   1 + (request.components > 0 ? 1 : 0) + request.others.size(),
                                   run.scores_file().string()));
        return 0;
    }
    model::require_results(context.comm, run);
    const auto scores = [&] {
        const core::Timings::Scope timing(context.timings, "score");
        if (!options.no_reconstruction)
            request.reconstruction = reconstruction_scores(context, run, options.replicates);
        return analysis::score_run(context.comm, run, request);
    }();
    context.comm.root_or_throw([&] {
        atlas::write_table(run, "scores", analysis::scores_tsv(scores));
        atlas::write_table(run, "scores_published", analysis::published_tsv(scores));
        atlas::write_figure(run, "scores", report::score_svg(figure_of(scores)));
        const auto writing = atlas::writer_lock(run.atlas_path());
        atlas::write_listed(run.folder(), run.scores_file().filename().string(),
                            analysis::scores_json(scores));
    });
    core::log_info("scores of run '{}': {}", run.name(), run.scores_file().string());
    record_history(context, run, "score");
    return 0;
}

}  // namespace

void add_score(CommandLine& line) {
    auto options = std::make_shared<ScoreOptions>();
    auto& app = line.add(
        "score",
        "how good the integration is: continuity, markers, reconstruction, biology, batches",
        [options](Context& context) { return run_score(context, *options); });
    add_run_options(app, options->run);
    app.add_option("--label", options->label,
                   "obs column with the true labels (default: no scores that need them)");
    app.add_option("--batch", options->batch, "obs column with the batches")->capture_default_str();
    app.add_option("--embedding", options->files,
                   "score this .h5ad's embedding of the same spots, too (repeatable)");
    app.add_option("--key", options->keys,
                   "name in obsm of each --embedding, in order; one for all if given once");
    app.add_option("--components", options->components,
                   "principal components of the data before integration; 0: not scored")
        ->check(CLI::Range(0, 1000))
        ->capture_default_str();
    app.add_option("--bootstrap", options->replicates,
                   "samples of the spots that the 95 % intervals are made from; 0: none")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{100000}))
        ->capture_default_str();
    app.add_flag("--kbet", options->kbet,
                 "also kBET's acceptance rate of the batches, over all spots and label by label");
    app.add_flag("--no-markers", options->no_markers,
                 "leave out the marker scores, which look at every value of the run's features");
    app.add_flag("--no-reconstruction", options->no_reconstruction,
                 "leave out the scores of the reconstruction, for which all spots are decoded");
}

}  // namespace smeta::drivers
