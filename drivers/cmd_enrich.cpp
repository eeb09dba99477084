#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/analysis/enrich.hpp"
#include "smeta/analysis/metabolites.hpp"
#include "smeta/atlas/run_output.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/text_table.hpp"
#include "smeta/io/tsv.hpp"
#include "smeta/report/dot_plot.hpp"
#include "smeta/stats/tests.hpp"

#include "analysis_commands.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {
namespace {

struct EnrichCommand {
    RunOptions run;
    std::string markers = "markers";
    std::string annotations = "annotations";
    std::vector<std::string> sets;
    std::string classes;
    std::string level = "sub_class";
    double adjusted_p = 0.05;
    double fold = 0.25;
    double fdr = 1;
    std::int64_t min_size = 3;
    std::int64_t max_size = 500;
    std::int64_t top = 5;
    std::string name = "enrichment";
};

using Names = std::map<std::string, std::set<std::string>>;

/// What the markers' table says of one modality.
struct Tested {
    std::vector<analysis::HitList> lists;  ///< in the table's order
    std::set<std::string> features;
};

/// Features that are higher in a group, by modality.
std::map<std::string, Tested> read_markers(const atlas::Run& run, const EnrichCommand& command) {
    const auto path = run.tables() / (command.markers + ".tsv");
    if (!std::filesystem::exists(path))
        throw core::ConfigError(
            fmt::format("{} is not there: run smeta markers{}", path.string(),
                        command.markers == "markers" ? "" : " --name " + command.markers));
    const auto table = io::read_text_columns(path.string());
    const auto sample = table.column("sample");
    const auto group = table.column("group");
    const auto modality = table.column("modality");
    const auto feature = table.column("feature");
    const auto fold = table.column("log2_fold_change");
    const auto adjusted = table.column("adjusted_p");
    std::map<std::string, Tested> result;
    std::int64_t line = 1;
    for (const auto& row : table.rows) {
        ++line;
        auto& tested = result[row[modality]];
        auto& lists = tested.lists;
        if (lists.empty() || lists.back().sample != row[sample] || lists.back().group != row[group])
            lists.push_back({row[sample], row[group], {}});
        tested.features.insert(row[feature]);
        const double change =
            io::require_number(row[fold], path.string(), line, "log2_fold_change");
        const double p = io::require_number(row[adjusted], path.string(), line, "adjusted_p");
        if (change > command.fold && p < command.adjusted_p) lists.back().hits.insert(row[feature]);
    }
    return result;
}

/// Identifiers of the molecules that each m/z may be.
Names read_annotations(const atlas::Run& run, const EnrichCommand& command) {
    const auto path = run.tables() / (command.annotations + ".tsv");
    if (!std::filesystem::exists(path)) return {};
    const auto table = io::read_text_columns(path.string());
    const auto feature = table.column("feature");
    const auto ids = table.column("ids");
    const auto fdr = table.column("fdr");
    Names result;
    std::int64_t line = 1;
    for (const auto& row : table.rows) {
        if (io::require_number(row[fdr], path.string(), ++line, "fdr") > command.fdr) continue;
        for (std::size_t at = 0; at < row[ids].size();) {
            const auto end = std::min(row[ids].find("; ", at), row[ids].size());
            result[row[feature]].insert(row[ids].substr(at, end - at));
            at = end + 2;
        }
    }
    return result;
}

/// The sets with the m/z that may be one of their molecules in place of the molecules.
std::vector<analysis::MemberSet> as_features(const std::vector<analysis::MemberSet>& sets,
                                             const Names& molecules) {
    Names features;
    for (const auto& [feature, ids] : molecules)
        for (const auto& id : ids) features[id].insert(feature);
    std::vector<analysis::MemberSet> result;
    for (const auto& set : sets) {
        analysis::MemberSet mapped{set.id, set.name, {}};
        for (const auto& id : set.members)
            if (const auto found = features.find(id); found != features.end())
                mapped.members.insert(found->second.begin(), found->second.end());
        result.push_back(std::move(mapped));
    }
    return result;
}

/// Classes of a table of metabolites as sets of identifiers.
std::vector<analysis::MemberSet> class_sets(const std::string& path, const std::string& level) {
    std::map<std::string, analysis::MemberSet> sets;
    for (const auto& m : analysis::read_metabolites(path).metabolites) {
        const auto& name = level == "class" ? m.main_class : m.sub_class;
        if (name.empty()) continue;
        auto& set = sets[name];
        set.id = set.name = name;
        set.members.insert(m.id);
    }
    std::vector<analysis::MemberSet> result;
    for (auto& [name, set] : sets) result.push_back(std::move(set));
    return result;
}

/// The rows of one kind of set.
struct Block {
    std::string kind;
    std::vector<analysis::HitList> lists;
    std::vector<analysis::MemberSet> sets;
    std::vector<analysis::Enrichment> rows;
};

Block make_block(const std::string& kind, const Tested& tested,
                 const std::vector<analysis::MemberSet>& sets,
                 const std::set<std::string>& background, const EnrichCommand& command) {
    return {kind, tested.lists, sets,
            analysis::enrich(tested.lists, sets, background, {command.min_size, command.max_size})};
}

/// Pathways that have genes and metabolites, their p-values combined.
Block combine(const Block& genes, const Block& metabolites) {
    Block joint{"joint", genes.lists, genes.sets, {}};
    std::map<std::tuple<std::string, std::string, std::string>, const analysis::Enrichment*> of;
    for (const auto& row : metabolites.rows) {
        const auto& list = metabolites.lists[row.list];
        of[{list.sample, list.group, metabolites.sets[row.set].id}] = &row;
    }
    for (const auto& row : genes.rows) {
        const auto& list = genes.lists[row.list];
        const auto found = of.find({list.sample, list.group, genes.sets[row.set].id});
        if (found == of.end()) continue;
        const auto& other = *found->second;
        analysis::Enrichment both = row;
        both.overlap += other.overlap;
        both.hits += other.hits;
        both.size += other.size;
        both.background += other.background;
        both.p_value = analysis::combined_p(row.p_value, other.p_value);
        both.members.insert(both.members.end(), other.members.begin(), other.members.end());
        joint.rows.push_back(std::move(both));
    }
    analysis::order_and_adjust(joint.rows);
    return joint;
}

std::vector<Block> make_blocks(const atlas::Run& run, const EnrichCommand& command) {
    const auto tested = read_markers(run, command);
    const auto molecules = read_annotations(run, command);
    const auto sets = analysis::read_gmt(command.sets);
    std::vector<Block> blocks;
    const auto genes = tested.find("st");
    const auto metabolites = tested.find("sm");
    if (genes != tested.end() && !sets.empty())
        blocks.push_back(make_block("genes", genes->second, sets, genes->second.features, command));
    if (metabolites != tested.end() && !molecules.empty()) {
        std::set<std::string> background;
        for (const auto& [feature, ids] : molecules)
            if (metabolites->second.features.count(feature) != 0) background.insert(feature);
        if (!sets.empty())
            blocks.push_back(make_block("metabolites", metabolites->second,
                                        as_features(sets, molecules), background, command));
        if (blocks.size() == 2) blocks.push_back(combine(blocks[0], blocks[1]));
        if (!command.classes.empty())
            blocks.push_back(
                make_block(command.level, metabolites->second,
                           as_features(class_sets(command.classes, command.level), molecules),
                           background, command));
    }
    std::size_t rows = 0;
    for (const auto& block : blocks) rows += block.rows.size();
    if (rows == 0)
        throw core::ConfigError(fmt::format(
            "no set has {} to {} members among what was tested; gene sets need the names of the "
            "genes, metabolite sets and classes the identifiers of {}.tsv{}",
            command.min_size, command.max_size, command.annotations,
            molecules.empty() ? " (run smeta annotate)" : ""));
    return blocks;
}

std::string to_tsv(const std::vector<Block>& blocks) {
    io::TsvText text({"sample", "group", "kind", "set", "name", "overlap", "hits", "size",
                      "background", "fold", "p_value", "adjusted_p", "members"});
    for (const auto& block : blocks)
        for (const auto& row : block.rows) {
            const auto& list = block.lists[row.list];
            const auto& set = block.sets[row.set];
            const double expected = static_cast<double>(row.hits) * static_cast<double>(row.size) /
                                    static_cast<double>(row.background);
            text.row(list.sample, list.group, block.kind, set.id, set.name, row.overlap, row.hits,
                     row.size, row.background,
                     expected > 0 ? static_cast<double>(row.overlap) / expected
                                  : std::numeric_limits<double>::quiet_NaN(),
                     row.p_value, row.adjusted_p, fmt::format("{}", fmt::join(row.members, "; ")));
        }
    return text.text();
}

/// The best sets of each group of one sample ("all" for all of them).
report::DotPlot figure_of(const std::vector<Block>& blocks, const std::string& sample,
                          const EnrichCommand& command, const std::string& id) {
    report::DotPlot plot;
    plot.id = id;
    plot.title = "Enriched sets " + (sample == "all" ? "of each group" : "in " + sample);
    plot.scale = report::ColourScale::Figure;
    plot.colour_label = "-log10 adjusted p";
    plot.size_label = "members among the hits";
    std::map<std::string, std::int32_t> position;
    for (const auto& block : blocks)
        for (const auto& list : block.lists)
            if (list.sample == sample &&
                position.emplace(list.group, static_cast<std::int32_t>(position.size())).second) {
                plot.groups.push_back(list.group);
                plot.colours.push_back(static_cast<std::int32_t>(plot.colours.size()));
            }
    const auto groups = plot.groups.size();
    for (const auto& block : blocks) {
        report::DotPlotPanel panel{block.kind, {}};
        std::map<std::int32_t, report::DotPlotFeature> features;
        std::vector<std::int32_t> order;
        std::map<std::int32_t, std::int64_t> count;
        for (const auto& row : block.rows)
            if (block.lists[row.list].sample == sample && row.adjusted_p < command.adjusted_p &&
                count[row.list]++ < command.top && features.count(row.set) == 0) {
                features[row.set] = {
                    block.sets[row.set].name, position.at(block.lists[row.list].group),
                    std::vector<double>(groups, std::nan("")), std::vector<double>(groups, 0)};
                order.push_back(row.set);
            }
        for (const auto& row : block.rows) {
            const auto found = features.find(row.set);
            if (found == features.end() || block.lists[row.list].sample != sample) continue;
            const auto g = position.at(block.lists[row.list].group);
            found->second.colour[g] = std::min(300.0, -std::log10(row.adjusted_p));
            found->second.size[g] =
                static_cast<double>(row.overlap) / static_cast<double>(row.size);
        }
        for (const auto set : order) panel.features.push_back(features[set]);
        plot.panels.push_back(std::move(panel));
    }
    return plot;
}

void write_enrichment(const atlas::Run& run, const EnrichCommand& command) {
    const auto blocks = make_blocks(run, command);
    atlas::write_table(run, command.name, to_tsv(blocks));
    std::set<std::string> samples;
    std::size_t clear = 0;
    for (const auto& block : blocks) {
        for (const auto& list : block.lists) samples.insert(list.sample);
        clear += std::count_if(block.rows.begin(), block.rows.end(), [&](const auto& row) {
            return row.adjusted_p < command.adjusted_p;
        });
    }
    for (const auto& sample : samples) {
        const auto id = sample == "all" ? command.name : command.name + "_" + sample;
        atlas::write_figure(run, id, report::dot_plot_svg(figure_of(blocks, sample, command, id)));
    }
    core::log_info("enrichment: {} sets in groups with adjusted p < {}", clear, command.adjusted_p);
}

int run_enrich(Context& context, const EnrichCommand& command) {
    const atlas::Run run = open_run(context, command.run);
    if (command.sets.empty() && command.classes.empty())
        throw core::ConfigError("smeta enrich needs --sets FILE.gmt, or --classes with a table");
    if (context.options.dry_run) {
        print(context,
              fmt::format("run\t{}\nsets\t{}\n", run.name(), fmt::join(command.sets, ", ")));
        return 0;
    }
    context.comm.root_or_throw([&] { write_enrichment(run, command); });
    record_history(context, run, "enrich");
    return 0;
}

}  // namespace

void add_enrich(CommandLine& line) {
    auto command = std::make_shared<EnrichCommand>();
    auto& app = line.add("enrich", "gene sets, metabolite sets and classes among the markers",
                         [command](Context& context) { return run_enrich(context, *command); });
    add_run_options(app, command->run);
    app.add_option("--sets", command->sets,
                   "gmt files of genes or of metabolites; a pathway's two files are joined by "
                   "identifier");
    app.add_option("--classes", command->classes,
                   "table of metabolites with class and sub_class, as for annotate");
    app.add_option("--level", command->level, "which of its columns")
        ->check(CLI::IsMember({"class", "sub_class"}))
        ->capture_default_str();
    app.add_option("--markers", command->markers, "table of smeta markers that gives the hits")
        ->capture_default_str();
    app.add_option("--annotations", command->annotations,
                   "table of smeta annotate that tells the metabolites' identifiers")
        ->capture_default_str();
    app.add_option("--adjusted-p", command->adjusted_p, "hits are below, and so are shown sets")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--fold", command->fold, "hits have a log2 fold change above")
        ->capture_default_str();
    app.add_option("--fdr", command->fdr, "annotations count up to this false discovery rate")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    app.add_option("--min-size", command->min_size, "members of a set in the background, at least")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--max-size", command->max_size, "members of a set in the background, at most")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    app.add_option("--top", command->top, "sets of each group and kind in the figure")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    app.add_option("--name", command->name, "name of the table and figure")->capture_default_str();
}

}  // namespace smeta::drivers
