#include <memory>

#include <fmt/format.h>

#include "smeta/analysis/annotate.hpp"
#include "smeta/analysis/groups.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/core/log.hpp"
#include "smeta/report/mass_errors.hpp"

#include "analysis_commands.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {
namespace {

struct AnnotateCommand {
    RunOptions run;
    std::vector<std::string> samples;
    std::string database;
    double ppm = 5;
    std::vector<std::string> adducts;
    std::string polarity;
    std::int64_t decoys = 20;
    std::string name = "annotations";
};

report::MassErrors figure_of(const analysis::Annotation& annotation,
                             const analysis::AnnotateOptions& options, const std::string& name,
                             const std::string& run) {
    report::MassErrors figure;
    figure.id = name;
    figure.title =
        fmt::format("Candidates for the m/z of run {} within {:g} ppm", run, options.ppm);
    figure.ppm = options.ppm;
    figure.decoys = annotation.decoy_errors;
    figure.draws = static_cast<double>(options.decoys);
    for (const auto& candidate : annotation.candidates)
        figure.candidates.push_back(candidate.ppm_error);
    for (std::size_t a = 0; a < options.adducts.size(); ++a)
        figure.adducts.push_back(
            {options.adducts[a].name, annotation.adducts[a].features, annotation.adducts[a].fdr});
    return figure;
}

analysis::MetaboliteTable read_table(Context& context, const std::string& path) {
    analysis::MetaboliteTable table;
    context.comm.all_or_throw([&] { table = analysis::read_metabolites(path); });
    core::log_info("{}: {} metabolites with {} different formulas; {} rows without a plain formula",
                   path, table.metabolites.size(), table.isomers.size(), table.unread);
    return table;
}

int run_annotate(Context& context, const AnnotateCommand& command) {
    const auto polarity = command.polarity == "positive"   ? analysis::Polarity::Positive
                          : command.polarity == "negative" ? analysis::Polarity::Negative
                                                           : analysis::Polarity::Unset;
    const atlas::Run run = open_run(context, command.run);
    const auto samples = analysis::chosen_samples(run, command.samples);
    const auto features = analysis::mass_features(context.comm, run, samples, polarity);
    const analysis::AnnotateOptions options{command.ppm,
                                            analysis::chosen_adducts(command.adducts, features),
                                            command.decoys, context.settings.seed};
    const auto table = read_table(context, command.database);
    if (context.options.dry_run) {
        print(context, fmt::format("run\t{}\nm/z\t{}\nformulas\t{}\nadducts\t{}\n", run.name(),
                                   features.size(), table.isomers.size(), options.adducts.size()));
        return 0;
    }
    auto annotation = analysis::annotate(context.comm, features, table, options);
    const analysis::RunValues values(context.comm, run, samples, analysis::FeatureScope::Measured);
    analysis::check_isotopes(context.comm, values, features, table, options, annotation);
    context.comm.root_or_throw([&] {
        atlas::write_table(run, command.name,
                           analysis::annotations_tsv(annotation, features, table, options));
        atlas::write_table(run, command.name + "_adducts",
                           analysis::adducts_tsv(annotation, options));
        atlas::write_figure(
            run, command.name,
            report::mass_errors_svg(figure_of(annotation, options, command.name, run.name())));
    });
    core::log_info(
        "annotation: {} of {} m/z have {} candidates within {:g} ppm; decoys suggest "
        "that {:.0f} % are false",
        annotation.all.features, features.size(), annotation.all.candidates, options.ppm,
        100 * annotation.all.fdr);
    record_history(context, run, "annotate");
    return 0;
}

}  // namespace

void add_annotate(CommandLine& line) {
    auto command = std::make_shared<AnnotateCommand>();
    auto& app = line.add("annotate", "molecules whose ions have the measured m/z",
                         [command](Context& context) { return run_annotate(context, *command); });
    add_run_options(app, command->run);
    app.add_option("--database", command->database,
                   "table of metabolites with formula and name: HMDB, CoreMetabolome, LIPID MAPS "
                   "or your own, plain or gzip")
        ->required();
    app.add_option("--ppm", command->ppm,
                   "largest difference from an ion's m/z, in parts per million of it")
        ->check(CLI::Range(1e-3, 1e4))
        ->capture_default_str();
    app.add_option(
        "--adduct", command->adducts,
        "ions to look for, as M+H, 2M+Na, M-H2O-H; all: the whole table, fmp10: those of "
        "the matrix FMP-10 (default: M+H, "
        "M+Na, M+K, M+NH4 or M-H, M+Cl)");
    app.add_option("--polarity", command->polarity,
                   "positive or negative, where the metabolites do not say it")
        ->check(CLI::IsMember({"positive", "negative"}));
    app.add_option(
           "--decoys", command->decoys,
           "impossible ions drawn for each molecule and adduct to estimate false discoveries")
        ->check(CLI::Range(1, 80))
        ->capture_default_str();
    app.add_option("--sample", command->samples, "samples to look at (default: all of the run)");
    app.add_option("--name", command->name, "name of the tables and figure")->capture_default_str();
}

}  // namespace smeta::drivers
