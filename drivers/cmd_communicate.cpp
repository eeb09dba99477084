#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "smeta/analysis/communicate.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/report/communication_figure.hpp"
#include "smeta/report/dot_plot.hpp"

#include "analysis_commands.hpp"
#include "marker_output.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {
namespace {

using analysis::InteractionKind;

struct CommunicateCommand {
    RunOptions run;
    std::vector<std::string> samples;
    std::string key = "cluster";
    std::vector<std::string> ignore = {"undetermined"};
    std::string pairs;
    std::string sensors;
    std::string annotations = "annotations";
    double ppm = 5;
    double fdr = 1;
    std::string score;
    double min_fraction = 0.1;
    std::int64_t permutations = 1000;
    std::int64_t top = 20;
    std::string name = "communication";
};

constexpr std::size_t kColumns = 24;  // pairs of groups in the dot plot

/// What may tell the m/z of the metabolites. Collective.
analysis::MetaboliteKeys metabolite_keys(const Context& context, const atlas::Run& run,
                                         const std::vector<std::string>& samples,
                                         const CommunicateCommand& command,
                                         const std::vector<analysis::NamedInteraction>& named) {
    analysis::MetaboliteKeys keys;
    keys.ppm = command.ppm;
    if (std::any_of(named.begin(), named.end(), [](const auto& row) { return row.mz > 0; }))
        keys.masses =
            analysis::mass_features(context.comm, run, samples, analysis::Polarity::Positive);
    const auto path = run.tables() / (command.annotations + ".tsv");
    context.comm.all_or_throw([&] {
        if (std::filesystem::exists(path))
            keys.features = analysis::read_annotation_keys(path.string(), command.fdr);
    });
    return keys;
}

std::vector<analysis::NamedInteraction> read_tables(const Context& context,
                                                    const CommunicateCommand& command) {
    if (command.pairs.empty() && command.sensors.empty())
        throw core::ConfigError(
            "give --pairs FILE (columns ligand, receptor) or --sensors FILE (columns metabolite, "
            "sensor)");
    std::vector<analysis::NamedInteraction> named;
    context.comm.all_or_throw([&] {
        if (!command.pairs.empty()) named = analysis::read_ligand_receptor(command.pairs);
        if (command.sensors.empty()) return;
        const auto sensors = analysis::read_metabolite_sensor(command.sensors);
        named.insert(named.end(), sensors.begin(), sensors.end());
    });
    return named;
}

std::int64_t count_kind(const std::vector<analysis::Interaction>& interactions,
                        InteractionKind kind) {
    return std::count_if(interactions.begin(), interactions.end(),
                         [&](const auto& pair) { return pair.kind == kind; });
}

/// Something of each table must have been measured.
void check_measured(const std::vector<analysis::Interaction>& found, const atlas::Run& run,
                    const CommunicateCommand& command) {
    if (!command.pairs.empty() && count_kind(found, InteractionKind::LigandReceptor) == 0)
        throw core::FormatError({command.pairs, "columns of ligand and receptor",
                                 "names of genes that every sample measured",
                                 "no pair with both measured",
                                 "the table needs the symbols and the species of the data"});
    if (!command.sensors.empty() && count_kind(found, InteractionKind::MetaboliteSensor) == 0)
        throw core::FormatError(
            {command.sensors, "columns of metabolite and sensor",
             "sensors that every sample measured, of metabolites with a feature's name, a "
             "measured m/z, or an identifier, name or formula of " +
                 (run.tables() / (command.annotations + ".tsv")).string(),
             "no pair with both measured", "run smeta annotate first, or add a column mz"});
}

/// Pairs of groups with most clear signals, in the order of their groups.
std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> busiest(
    const std::vector<analysis::Signal>& signals) {
    std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> count;
    for (const auto& s : signals)
        if (s.adjusted_p < kClearAdjustedP) ++count[{s.sender, s.receiver}];
    std::vector<std::pair<std::int64_t, std::pair<std::int32_t, std::int32_t>>> order;
    for (const auto& [pair, number] : count) order.push_back({-number, pair});
    std::sort(order.begin(), order.end());
    if (order.size() > kColumns) order.resize(kColumns);
    std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> columns;
    for (const auto& [number, pair] : order) columns[pair] = 0;
    std::int32_t next = 0;
    for (auto& [pair, column] : columns) column = next++;
    return columns;
}

/// The interactions of the clearest signals of each kind between the busiest pairs of groups.
report::DotPlot dots_of(const std::vector<analysis::Signal>& signals,
                        const std::vector<analysis::Interaction>& interactions,
                        const analysis::Groups& groups, const CommunicateCommand& command) {
    const auto columns = busiest(signals);
    report::DotPlot plot;
    plot.id = command.name + "_pairs";
    plot.title = fmt::format("Interactions between groups of {}", groups.key);
    plot.group_key = "sender and receiver";
    plot.colour_label = "score";
    plot.size_label = "spots with the rarer side";
    for (const auto& [pair, column] : columns) {
        plot.groups.push_back(
            fmt::format("{} \u2192 {}", groups.names[pair.first], groups.names[pair.second]));
        plot.colours.push_back(pair.first);
    }
    for (const auto kind : {InteractionKind::LigandReceptor, InteractionKind::MetaboliteSensor}) {
        std::map<std::int32_t, std::size_t> place;
        report::DotPlotPanel panel{to_string(kind), {}};
        for (const auto& s : signals) {
            const auto column = columns.find({s.sender, s.receiver});
            if (interactions[s.interaction].kind != kind || column == columns.end() ||
                s.adjusted_p >= kClearAdjustedP)
                continue;
            if (place.count(s.interaction) == 0) {
                if (static_cast<std::int64_t>(place.size()) == command.top) continue;
                place[s.interaction] = panel.features.size();
                const auto& pair = interactions[s.interaction];
                panel.features.push_back(
                    {fmt::format("{} \u2013 {}", pair.sender, pair.receiver), column->second,
                     std::vector<double>(columns.size(), std::numeric_limits<double>::quiet_NaN()),
                     std::vector<double>(columns.size(), 0)});
            }
            auto& feature = panel.features[place[s.interaction]];
            feature.colour[column->second] = s.score;
            feature.size[column->second] = std::min(s.sender_fraction, s.receiver_fraction);
        }
        plot.panels.push_back(std::move(panel));
    }
    return plot;
}

report::SignalCircle circle_of(const std::vector<analysis::Signal>& signals,
                               const std::vector<analysis::Interaction>& interactions,
                               const analysis::Groups& groups, InteractionKind kind) {
    const auto count = groups.names.size();
    report::SignalCircle circle{to_string(kind),
                                {groups.names, std::vector<double>(count * count, 0)}};
    for (const auto& s : signals)
        if (interactions[s.interaction].kind == kind && s.adjusted_p < kClearAdjustedP)
            circle.strength.values[static_cast<std::size_t>(s.sender) * count + s.receiver] += 1;
    return circle;
}

/// Table and figures; rank 0 alone.
void write_communication(const atlas::Run& run, const std::vector<analysis::Signal>& signals,
                         const std::vector<analysis::Interaction>& interactions,
                         const analysis::Groups& groups, const CommunicateCommand& command) {
    atlas::write_table(run, command.name, analysis::signals_tsv(signals, interactions, groups));
    std::vector<report::SignalCircle> circles;
    for (const auto kind : {InteractionKind::LigandReceptor, InteractionKind::MetaboliteSensor})
        if (count_kind(interactions, kind) > 0)
            circles.push_back(circle_of(signals, interactions, groups, kind));
    atlas::write_figure(
        run, command.name,
        report::communication_svg(command.name,
                                  fmt::format("Communication between groups of {}", groups.key),
                                  circles, "interactions with adjusted p < 0.05"));
    atlas::write_figure(run, command.name + "_pairs",
                        report::dot_plot_svg(dots_of(signals, interactions, groups, command)));
}

analysis::CommunicateOptions options_of(const Context& context, const CommunicateCommand& command) {
    analysis::CommunicateOptions options;
    if (!command.score.empty())
        options.ligand_receptor = options.metabolite_sensor =
            command.score == "mean" ? analysis::PairScore::Mean : analysis::PairScore::Product;
    options.min_fraction = command.min_fraction;
    options.permutations = command.permutations;
    options.seed = context.settings.seed;
    options.memory = memory_budget(context) / 2;
    return options;
}

int run_communicate(Context& context, const CommunicateCommand& command) {
    const atlas::Run run = open_run(context, command.run);
    const auto samples = analysis::chosen_samples(run, command.samples);
    const auto named = read_tables(context, command);
    const analysis::RunValues values(context.comm, run, samples, analysis::FeatureScope::Measured);
    const auto groups =
        analysis::read_groups(context.comm, run, samples, command.key, command.ignore);
    const auto interactions = analysis::measured_interactions(
        named, values.features(), metabolite_keys(context, run, samples, command, named));
    check_measured(interactions, run, command);
    const auto pairs = count_kind(interactions, InteractionKind::LigandReceptor);
    const auto sensors = count_kind(interactions, InteractionKind::MetaboliteSensor);
    if (context.options.dry_run) {
        print(context,
              fmt::format("run\t{}\nspots\t{}\ngroups\t{}\nligand-receptor\t{}\nmetabolite-sensor\t"
                          "{}\npermutations\t{}\n",
                          run.name(), values.rows(), groups.count(), pairs, sensors,
                          command.permutations));
        return 0;
    }
    const auto signals = [&] {
        const core::Timings::Scope timing(context.timings, "signals");
        return analysis::find_signals(context.comm, run, values, groups, interactions,
                                      options_of(context, command));
    }();
    context.comm.root_or_throw(
        [&] { write_communication(run, signals, interactions, groups, command); });
    const auto clear = [&](auto of) {
        return std::count_if(signals.begin(), signals.end(),
                             [&](const auto& s) { return of(s) < kClearAdjustedP; });
    };
    core::log_info(
        "{} ligand-receptor and {} metabolite-sensor pairs were measured, {} of {} in the tables; "
        "of {} signals between groups of '{}' {} are clear (adjusted p < {}), {} at contacts",
        pairs, sensors, pairs + sensors, named.size(), signals.size(), command.key,
        clear([](const auto& s) { return s.adjusted_p; }), kClearAdjustedP,
        clear([](const auto& s) { return s.contact_adjusted_p; }));
    record_history(context, run, "communicate");
    return 0;
}

}  // namespace

void add_communicate(CommandLine& line) {
    auto command = std::make_shared<CommunicateCommand>();
    auto& app =
        line.add("communicate",
                 "ligand-receptor and metabolite-sensor signals between groups and neighbours",
                 [command](Context& context) { return run_communicate(context, *command); });
    add_run_options(app, command->run);
    app.add_option("--pairs", command->pairs,
                   "table of ligands and receptors: columns ligand, receptor; complexes as A&B");
    app.add_option("--sensors", command->sensors,
                   "table of metabolites and their sensors: columns metabolite, sensor, and where "
                   "they are mz, formula, id, type");
    app.add_option("--annotations", command->annotations,
                   "table of smeta annotate that tells which m/z a metabolite is")
        ->capture_default_str();
    app.add_option("--ppm", command->ppm, "tolerance for m/z of the table of sensors")
        ->check(CLI::Range(0.001, 1000.0))
        ->capture_default_str();
    app.add_option("--fdr", command->fdr, "largest false discovery rate of annotations")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--sample", command->samples, "samples to look at (default: all of the run)");
    app.add_option("--groupby", command->key, "obs column of the groups: cluster, region, a label")
        ->capture_default_str();
    app.add_option("--ignore", command->ignore, "values of the column that are no group")
        ->capture_default_str();
    app.add_option("--score", command->score,
                   "mean of the two means, or their product (default: mean for ligands, product "
                   "for metabolites)")
        ->check(CLI::IsMember({"mean", "product"}));
    app.add_option("--min-fraction", command->min_fraction,
                   "share of a group's spots that must have each molecule")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--permutations", command->permutations, "shuffles for the p-values")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000000}))
        ->capture_default_str();
    app.add_option("--top", command->top, "interactions of each kind in the dot plot")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app.add_option("--name", command->name, "name of the table and figures")->capture_default_str();
}

}  // namespace smeta::drivers
