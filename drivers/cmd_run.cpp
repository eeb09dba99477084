#include <memory>

#include "smeta/align/align.hpp"
#include "smeta/align/reassign.hpp"
#include "smeta/align/stack.hpp"
#include "smeta/analysis/cluster.hpp"
#include "smeta/atlas/ingest.hpp"
#include "smeta/atlas/ingest_session.hpp"
#include "smeta/atlas/study.hpp"
#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/preprocess/qc.hpp"
#include "smeta/preprocess/select.hpp"

#include "command.hpp"
#include "run_commands.hpp"
#include "stop_signal.hpp"

namespace smeta::drivers {

namespace {

struct ChainOptions {
    std::string study;
    std::string atlas;  ///< in place of the study's
};

/// From raw files to selected features. Each stage skips the samples whose result stands.
atlas::ShardedAtlas prepare(Context& context, const atlas::Study& study,
                            const std::string& folder) {
    const comm::Comm& comm = context.comm;
    Settings& settings = context.settings;
    const auto stage = [&](const char* name, const auto& body) {
        core::log_info("{}", name);
        const core::Timings::Scope timing(context.timings, name);
        body();
    };
    stage("ingest", [&] {
        atlas::IngestSession session(comm, folder);
        atlas::ingest(comm, session.atlas(), study.samples, settings.ingest,
                      atlas::ExistingSample::Refuse);
    });
    auto atlas = atlas::ShardedAtlas::open(comm, folder);
    stage("qc", [&] { preprocess::run_qc(comm, atlas, settings.qc); });
    stage("align", [&] { align::run_align(comm, atlas, settings.align); });
    if (!settings.stack.block.empty())
        stage("stack", [&] { align::run_stack(comm, atlas, settings.stack); });
    stage("reassign", [&] { align::run_reassign(comm, atlas, settings.reassign); });
    stage("select", [&] {
        const auto& source = settings.ingest.source;
        preprocess::run_select(comm, atlas, settings.select, {},
                               {source.mz_ppm, source.max_bin_ppm});
    });
    return atlas;
}

std::string plan(const atlas::Study& study, const std::string& folder) {
    std::string text = "atlas\t" + folder + "\nrun\t" + study.run + "\n";
    for (const auto& sample : study.samples) text += "sample\t" + sample.name + "\n";
    return text + "stages\tingest qc align reassign select train embed neighbors cluster report\n";
}

int run_chain(Context& context, const ChainOptions& options) {
    const comm::Comm& comm = context.comm;
    const std::string text = read_shared_text(comm, options.study);
    apply_study(context, text, options.study);
    const atlas::Study study = atlas::parse_study(text, options.study);
    const std::string folder = options.atlas.empty() ? study.atlas : options.atlas;
    if (context.options.dry_run) {
        print(context, plan(study, folder));
        return 0;
    }
    const auto atlas = prepare(context, study, folder);
    core::log_info("train");
    {
        const DeferredStop stop;
        if (const int code = train_run(context, atlas, study.run); code != 0) return code;
        // A signal that came when the last epoch was done.
        if (stop.requested_anywhere(comm)) return core::kExitStoppedAtCheckpoint;
    }
    stop_if_requested();
    const atlas::Run run = atlas::Run::open(comm, atlas, study.run);
    core::log_info("embed");
    if (const int code = embed_run(context, run, true); code != 0) return code;
    core::log_info("cluster");
    if (const int code = cluster_run(context, run); code != 0) return code;
    core::log_info("report");
    if (const int code = report_run(context, atlas, run); code != 0) return code;
    print(context, "The integrated atlas is in " + folder +
                       ", the report (open it in a browser) is " + run.report_html().string() +
                       "\n");
    return 0;
}

}  // namespace

void add_run(CommandLine& line) {
    auto options = std::make_shared<ChainOptions>();
    CLI::App& app = line.add("run", "the whole chain, from a study's raw files to its report",
                             [options](Context& context) { return run_chain(context, *options); });
    app.add_option("study", options->study, "study.toml")->required();
    app.add_option("--atlas", options->atlas, "folder of the atlas, in place of the study's");
}

}  // namespace smeta::drivers
