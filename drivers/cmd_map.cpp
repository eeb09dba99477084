#include <cmath>
#include <memory>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/analysis/placement.hpp"
#include "smeta/atlas/listed_file.hpp"
#include "smeta/atlas/names.hpp"
#include "smeta/atlas/query.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/model/embed.hpp"
#include "smeta/model/map.hpp"

#include "command.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {

namespace {

struct MapCommand {
    RunOptions run;
    atlas::QueryFile::Options query;
    std::string name;
    std::string labels;
    std::vector<std::string> predict;
};

/// Name of the folder below map/: --name, else the query's file or folder without its suffix.
std::string query_name(const MapCommand& options) {
    if (!options.name.empty()) {
        atlas::check_name("query", options.name);
        return options.name;
    }
    std::filesystem::path path = options.query.path;
    if (path.filename().empty()) path = path.parent_path();
    if (path.filename() == "." || path.filename() == "..") path = std::filesystem::absolute(path);
    const std::string name = path.stem().string();
    if (!atlas::is_valid_name(name))
        throw core::ConfigError(fmt::format(
            "--query {}: '{}' cannot name the results ([A-Za-z0-9_.-]); give one with --name",
            options.query.path, name));
    return name;
}

std::string number(double value) {
    return std::isnan(value) ? "-" : fmt::format("{:.4f}", value);
}

/// One line a sample. `placed` is in the order of the outcome's samples.
std::string summary(const model::MapOutcome& outcome,
                    const std::vector<analysis::PlacedSample>& placed) {
    const auto& mapped = outcome.samples;
    const std::string reference =
        fmt::format("{} {}", outcome.reference.rows.size(),
                    outcome.reference.held_out ? "held out" : "trained on");
    std::set<std::string> modalities;
    for (const auto& sample : mapped)
        for (const auto& [modality, coverage] : sample.coverage) modalities.insert(modality);
    std::string text = "sample\tcohort\trows";
    for (const auto& modality : modalities)
        text += fmt::format("\tmeasured_{0}\tfeatures_{0}", modality);
    text +=
        "\tunseen_batch\tout_of_distribution\treasons\treference\tlabelled\taccuracy\tmacro_"
        "f1\tmajority\t"
        "confident\tconfident_accuracy\n";
    for (std::size_t s = 0; s < mapped.size(); ++s) {
        const auto& sample = mapped[s];
        text += fmt::format("{}\t{}\t{}", sample.name, sample.cohort, sample.rows);
        for (const auto& modality : modalities) {
            const auto found = sample.coverage.find(modality);
            text += found == sample.coverage.end()
                        ? "\t-\t-"
                        : fmt::format("\t{}\t{}", found->second.measured(), found->second.features);
        }
        std::vector<std::string> unseen;
        for (const auto& [level, names] : sample.unseen)
            unseen.push_back(fmt::format("{}={}", level, fmt::join(names, "|")));
        std::vector<std::string> reasons;
        for (const auto& [reason, spots] : placed[s].reasons)
            reasons.push_back(fmt::format("{}={}", reason, spots));
        text += fmt::format(
            "\t{}\t{}\t{}\t{}", unseen.empty() ? "-" : fmt::to_string(fmt::join(unseen, ";")),
            placed[s].out, reasons.empty() ? "-" : fmt::to_string(fmt::join(reasons, ";")),
            reference);
        if (const auto& score = placed[s].labels)
            text += fmt::format("\t{}\t{}\t{}\t{}\t{}\t{}\n", score->spots, number(score->accuracy),
                                number(score->macro_f1), number(score->majority),
                                number(score->confident_share), number(score->confident_accuracy));
        else
            text += "\t0\t-\t-\t-\t-\t-\n";
    }
    return text;
}

std::string label_table(const std::vector<analysis::PlacedSample>& placed) {
    std::string text = "sample\tlabel\tspots\tgiven\tright\n";
    for (const auto& sample : placed)
        if (sample.labels)
            for (const auto& [label, counts] : sample.labels->labels)
                text += fmt::format("{}\t{}\t{}\t{}\t{}\n", sample.name, label, counts.spots,
                                    counts.given, counts.right);
    return text;
}

std::string prediction_table(const std::vector<model::PredictionScore>& predictions) {
    std::string text = "sample\tmodality\tfeature\tspots\tpearson\town\n";
    for (const auto& score : predictions)
        for (std::size_t f = 0; f < score.features.size(); ++f)
            text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", score.sample, score.modality,
                                score.features[f], score.spots, number(score.pearson[f]),
                                number(score.own[f]));
    return text;
}

std::string prediction_summary(const std::vector<model::PredictionScore>& predictions) {
    std::string text =
        "\nsample\tpredicted\tspots\tfeatures\tmedian_pearson\town_median\tbest_tenth\t"
        "own_best_tenth\n";
    for (const auto& score : predictions) {
        text += fmt::format("{}\t{}\t{}\t{}", score.sample, score.modality, score.spots,
                            score.features.size());
        for (const double share : {0.5, 0.9})
            for (const auto* values : {&score.pearson, &score.own})
                text += "\t" + number(model::quantile_of_finite(*values, share));
        text += "\n";
    }
    return text;
}

void warn(const model::MapOutcome& outcome) {
    constexpr double kLittle = 0.5;
    if (!outcome.reference.held_out)
        core::log_warning(
            "the run kept too few spots from training to compare queries with: spots that it was "
            "trained on fit better than new ones, so that more than map.flagged_share of those "
            "like them are flagged; train it with train.validation, 0.1 for example");
    const auto& mapped = outcome.samples;
    for (const auto& sample : mapped) {
        for (const auto& [modality, coverage] : sample.coverage)
            if (coverage.share() < kLittle)
                core::log_warning(
                    "query sample '{}' measured {} of the run's {} features of {}; the others are "
                    "taken at their training mean",
                    sample.name, coverage.measured(), coverage.features, modality);
        for (const auto& [level, names] : sample.unseen)
            core::log_info(
                "query sample '{}': batch level '{}' has categories that the run was not trained "
                "on ({}); decoders take the mean of the trained ones",
                sample.name, level, fmt::join(names, ", "));
    }
}

void write_tables(const atlas::Run& run, const std::string& folder, const std::string& text,
                  const std::vector<analysis::PlacedSample>& placed,
                  const std::vector<model::PredictionScore>& predictions) {
    const auto write = [&](const char* name, const std::string& content) {
        atlas::write_listed(run.map_folder(folder), name, content);
    };
    write("summary.tsv", text);
    if (std::any_of(placed.begin(), placed.end(), [](const auto& p) { return p.labels; }))
        write("transfer.tsv", label_table(placed));
    if (!predictions.empty()) write("prediction.tsv", prediction_table(predictions));
}

std::string plan(const atlas::QueryFile& query, const atlas::Run& run, double ppm) {
    std::string text = "sample\trows\tmodality\tmeasured\tfeatures\n";
    const auto inputs = query.inputs(run.features(), ppm);
    for (std::size_t s = 0; s < inputs.coverage.size(); ++s)
        for (const auto& [modality, coverage] : inputs.coverage[s])
            text += fmt::format("{}\t{}\t{}\t{}\t{}\n", inputs.rows.samples[s].name,
                                inputs.rows.samples[s].rows(), modality, coverage.measured(),
                                coverage.features);
    return text;
}

model::MapOutcome map_samples(Context& context, const atlas::Run& run,
                              const atlas::QueryFile& query, const std::string& folder,
                              const std::vector<std::string>& predict) {
    // Below two spots that may be flagged the stated share says little.
    constexpr double kLeastFlagged = 2;
    const Settings& settings = context.settings;
    const auto trained = settings_of(run);
    return model::map_query(context.comm, run, query,
                            {.folder = folder,
                             .predict = predict,
                             .mz_ppm = settings.ingest.source.mz_ppm,
                             .reference_rows = settings.map.reference_spots,
                             .seed = trained->seed,
                             .validation = trained->train.validation,
                             .least_held_out = static_cast<std::int64_t>(
                                 std::ceil(kLeastFlagged / settings.map.flagged_share))},
                            context.timings);
}

int run_map(Context& context, const MapCommand& options) {
    const comm::Comm& comm = context.comm;
    const Settings& settings = context.settings;
    const atlas::Run run = open_run(context, options.run);
    const std::string name = query_name(options);
    run.check_inputs(comm, atlas::InputCheck::Sizes);
    model::require_results(comm, run);
    const atlas::QueryFile query(comm, run, options.query, settings.ingest);
    const double ppm = settings.ingest.source.mz_ppm;
    if (context.options.dry_run) {
        std::string text;
        comm.root_or_throw([&] { text = plan(query, run, ppm); });
        print(context, text);
        return 0;
    }
    const auto labels = options.labels.empty()
                            ? std::vector<std::string>()
                            : analysis::training_labels(comm, run, options.labels);
    const atlas::MapScratch made(comm, run, "result");
    const auto outcome = map_samples(context, run, query, made.name(), options.predict);
    if (comm.is_root()) warn(outcome);
    std::vector<analysis::PlacedSample> placed;
    {
        const core::Timings::Scope scope(context.timings, "map/place");
        placed = analysis::place_query(comm, run, settings.map,
                                       {.folder = made.name(),
                                        .samples = query.samples(),
                                        .labels = options.labels,
                                        .training_labels = labels,
                                        .reference_rows = outcome.reference.rows,
                                        .reference_fit = outcome.reference.fit});
    }
    const std::string text = summary(outcome, placed);
    comm.root_or_throw([&] {
        write_tables(run, made.name(), text, placed, outcome.predictions);
        run.put_mapped(made.name(), name);
    });
    print(context, text + (outcome.predictions.empty() ? std::string()
                                                       : prediction_summary(outcome.predictions)));
    record_history(context, run, "map", {{"query", name}, {"samples", query.samples()}});
    return 0;
}

}  // namespace

void add_map(CommandLine& line) {
    auto options = std::make_shared<MapCommand>();
    CLI::App& app = line.add(
        "map", "place samples that a run was not trained on in its latent, without training",
        [options](Context& context) { return run_map(context, *options); });
    add_run_options(app, options->run);
    app.add_option("--query", options->query.path,
                   "an atlas (its samples that the run was not trained on, if it is the run's "
                   "own), or a joint .h5ad or .h5mu file")
        ->required();
    app.add_option("--sample", options->query.samples, "only this sample (repeatable)");
    app.add_option("--cohort", options->query.cohort, "cohort of a joint file's rows");
    app.add_option("--name", options->name,
                   "folder below runs/RUN/map/ (default: the query's name without its suffix)");
    app.add_option("--labels", options->labels,
                   "obs column of the run's results that query spots get from their neighbours; "
                   "scored where the query has it too");
    app.add_option("--predict", options->predict,
                   "modality to predict from the others (repeatable); scored where measured");
}

}  // namespace smeta::drivers
