#include <ctime>
#include <memory>
#include <optional>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "smeta/analysis/run_mixing.hpp"
#include "smeta/atlas/writer_lock.hpp"
#include "smeta/core/version.hpp"
#include "smeta/model/embed.hpp"
#include "smeta/report/gather.hpp"
#include "smeta/report/report.hpp"

#include "command.hpp"
#include "run_commands.hpp"

namespace smeta::drivers {

namespace {

report::MixingScores scores(const analysis::BatchMixing& mixing) {
    return {mixing.ilisi, mixing.batch_asw, mixing.neighbor_mixing};
}

int run_report(Context& context, const RunOptions& options) {
    const auto atlas = atlas::ShardedAtlas::open(context.comm, options.atlas);
    const atlas::Run run = atlas::Run::open(context.comm, atlas, options.run);
    if (context.options.dry_run) {
        print(context, fmt::format("report\t{}\n", run.report_html().string()));
        return 0;
    }
    return report_run(context, atlas, run);
}

}  // namespace

int report_run(Context& context, const atlas::ShardedAtlas& atlas, const atlas::Run& run) {
    const auto& settings = context.settings;
    model::require_results(context.comm, run);
    context.comm.root_or_throw([&] {
        const auto writing = atlas::writer_lock(atlas.path());
        report::ReportData data = report::gather(
            atlas, run,
            {.features = settings.report.features, .sm_target = settings_of(run)->model.sm_target});
        if (const auto mixing =
                analysis::run_mixing(run, settings.report.mixing_spots, settings.seed))
            data.mixing =
                report::BatchMixing{scores(mixing->before), scores(mixing->after), mixing->spots};
        data.created = fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(std::time(nullptr)));
        data.version = core::kVersion;
        data.revision = core::kGitRevision;
        report::write_report(data, run.folder());
    });
    return 0;
}

void add_report(CommandLine& line) {
    auto options = std::make_shared<RunOptions>();
    add_run_options(line.add("report", "the run's report: page, record, figures and tables",
                             [options](Context& context) { return run_report(context, *options); }),
                    *options);
}

}  // namespace smeta::drivers
