#include <memory>

#include <fmt/format.h>

#include "smeta/simulate/study.hpp"

#include "command.hpp"

namespace smeta::drivers {

namespace {

struct SimulateOptions {
    simulate::StudyOptions study;
    std::string out;
    std::string layout = "adjacent";
    std::string mode = "processed";
    std::string sizes;
};

std::string plan(const simulate::StudyOptions& options) {
    std::string text = "sample\tcohort\tspots\n";
    for (const auto& sample : simulate::plan_samples(options))
        text += fmt::format("{}\t{}\t{}\n", sample.name, sample.cohort, sample.spots);
    return text;
}

int run_simulate(Context& context, SimulateOptions& options) {
    auto& study = options.study;
    study.seed = context.settings.seed;
    study.layout = options.layout == "same" ? simulate::Layout::Same : simulate::Layout::Adjacent;
    study.mode = options.mode == "continuous" ? simulate::SpectrumMode::Continuous
                                              : simulate::SpectrumMode::Processed;
    if (!options.sizes.empty())
        study.sizes =
            simulate::parse_sizes(read_shared_text(context.comm, options.sizes), options.sizes);
    if (context.options.dry_run) {
        print(context, plan(study));
        return 0;
    }
    simulate::simulate_study(context.comm, study, options.out);
    return 0;
}

}  // namespace

void add_simulate(CommandLine& line) {
    auto options = std::make_shared<SimulateOptions>();
    auto& command =
        line.add("simulate", "Write a study as instruments would, with its truth",
                 [options](Context& context) { return run_simulate(context, *options); });
    auto& study = options->study;
    command.add_option("--out", options->out, "folder of the study")->required();
    command.add_option("--samples", study.samples, "number of samples")->capture_default_str();
    command.add_option("--cohorts", study.cohorts, "number of cohorts")->capture_default_str();
    command.add_option("--spots", study.spots, "spots of a sample")->capture_default_str();
    command.add_option("--genes", study.genes, "number of genes")->capture_default_str();
    command.add_option("--metabolites", study.metabolites, "number of metabolites")
        ->capture_default_str();
    command.add_option("--domains", study.domains, "number of spatial domains")
        ->capture_default_str();
    command
        .add_option("--layout", options->layout,
                    "imaging on the next section (adjacent) or on the sequenced one (same)")
        ->check(CLI::IsMember({"adjacent", "same"}))
        ->capture_default_str();
    command.add_option("--mode", options->mode, "imzML mode")
        ->check(CLI::IsMember({"processed", "continuous"}))
        ->capture_default_str();
    command
        .add_option("--pixels-per-spot", study.pixels_per_spot,
                    "pixels of the image in the area of one spot")
        ->capture_default_str();
    command.add_option("--sizes", options->sizes,
                       "file with lines 'sample spots', in place of --samples and --spots");
    command.add_option("--only", study.only,
                       "write this sample alone, with the bytes it has in the whole study");
}

}  // namespace smeta::drivers
