#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/atlas/maintenance.hpp"
#include "smeta/atlas/selection.hpp"
#include "smeta/core/error.hpp"

#include "command.hpp"

namespace smeta::drivers {

namespace {

struct AtlasOptions {
    std::string atlas;
    std::string sample;
    bool repair = false;
    bool force = false;
};

std::string shape_text(const std::map<std::string, atlas::ModalityShape>& modalities) {
    std::string text;
    for (const auto& [name, shape] : modalities)
        text +=
            fmt::format("{}{}:{}x{}", text.empty() ? "" : ",", name, shape.rows, shape.features);
    return text.empty() ? "-" : text;
}

/// Rank 0 reads; what it says is printed once. Collective.
std::string on_root(Context& context, const std::function<std::string()>& work) {
    std::string text;
    context.comm.root_or_throw([&] { text = work(); });
    return text;
}

int run_list(Context& context, const AtlasOptions& options) {
    print(context, on_root(context, [&] {
              std::string text = "sample\tcohort\traw\tjoint_rows\tjoint\tstages\tbytes\n";
              const auto info = atlas::describe(atlas::ShardedAtlas::open(options.atlas));
              for (const auto& sample : info.samples)
                  text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\n", sample.name, sample.cohort,
                                      shape_text(sample.raw), sample.joint_rows,
                                      shape_text(sample.joint), fmt::join(sample.stages, ","),
                                      sample.bytes);
              return text;
          }));
    return 0;
}

/// "rows S1 qc/st read 10 = kept 8 + low_counts 2", separated by tabs.
std::string rows_text(const std::string& sample, const atlas::SampleInfo::Rows& rows) {
    std::int64_t read = rows.kept;
    std::string parts = fmt::format("kept {}", rows.kept);
    for (const auto& [reason, count] : rows.dropped) {
        read += count;
        parts += fmt::format(" + {} {}", reason, count);
    }
    return fmt::format("rows\t{}\t{}{}{}\tread {} = {}\n", sample, rows.stage,
                       rows.modality.empty() ? "" : "/", rows.modality, read, parts);
}

std::string info_text(const std::string& path) {
    const auto opened = atlas::ShardedAtlas::open(path);
    const auto info = atlas::describe(opened);
    std::int64_t joint_rows = 0;
    for (const auto& sample : info.samples) joint_rows += sample.joint_rows;
    std::string text = fmt::format(
        "atlas\t{}\nformat\t{}\nsamples\t{}\ncohorts\t{}\njoint_rows\t{}\nfiles\t{}\nbytes\t{}\n",
        path, info.version, info.samples.size(), info.cohorts.size(), joint_rows, info.files,
        info.bytes);
    for (const auto& [modality, names] : info.features)
        text += fmt::format("features_{}\t{}\n", modality, names);
    for (const auto& [cohort, samples] : info.cohorts)
        text += fmt::format("cohort\t{}\t{} samples\n", cohort, samples);
    for (const auto& sample : info.samples)
        for (const auto& rows : sample.rows) text += rows_text(sample.name, rows);
    for (const auto& coverage : atlas::selection_coverage(opened))
        text += fmt::format("coverage\t{}\t{}\t{} of {} selected features\n", coverage.sample,
                            coverage.modality, coverage.measured, coverage.selected);
    for (const auto& run : info.runs) {
        text += fmt::format("run\t{}\t{} samples\t{} rows", run.name, run.samples, run.rows);
        if (!run.removed.empty())
            text += fmt::format("\tno longer in the atlas: {}", fmt::join(run.removed, ","));
        text += "\n";
    }
    return text;
}

int run_verify(Context& context, const AtlasOptions& options) {
    const auto report =
        atlas::verify(context.comm, options.atlas,
                      options.repair ? atlas::RepairMode::Repair : atlas::RepairMode::ReportOnly);
    std::string text = fmt::format("checked\t{} files\t{} bytes\n", report.files, report.bytes);
    for (const auto& problem : report.problems)
        text += fmt::format("damaged\t{}\t{}\n", problem.file, problem.what);
    const auto list = [&](const char* what, const std::vector<std::string>& files) {
        for (const auto& file : files) text += fmt::format("{}\t{}\n", what, file);
    };
    if (!options.repair) {
        list("leftover", report.leftovers);
        list("unnamed", report.unnamed);
    }
    list("removed", report.removed);
    list("rebuilt", report.rebuilt);
    text += report.sound() ? "sound\n" : "";
    print(context, text);
    if (!report.sound())
        throw core::ConfigError(fmt::format("{}: {} problem{} (listed above)", options.atlas,
                                            report.problems.size(),
                                            report.problems.size() == 1 ? "" : "s"));
    return 0;
}

int run_remove(Context& context, const AtlasOptions& options) {
    context.comm.root_or_throw([&] {
        auto opened = atlas::ShardedAtlas::open(options.atlas);
        (void)opened.sample(options.sample);
        if (!context.options.dry_run)
            atlas::remove_sample(
                opened, options.sample,
                options.force ? atlas::RemoveMode::Force : atlas::RemoveMode::RefuseIfUsed);
    });
    print(context, fmt::format("{}\t{}\n", context.options.dry_run ? "would remove" : "removed",
                               options.sample));
    return 0;
}

}  // namespace

void add_atlas(CommandLine& line) {
    auto options = std::make_shared<AtlasOptions>();
    CLI::App& group = line.add_group("atlas", "what is in an atlas, and whether it is sound");
    const auto with_atlas = [options](CLI::App& app) -> CLI::App& {
        app.add_option("--atlas", options->atlas, "folder of the atlas")->required();
        return app;
    };
    with_atlas(line.add(
        "info", "sizes, cohorts, features, runs",
        [options](Context& context) {
            print(context, on_root(context, [&] { return info_text(options->atlas); }));
            return 0;
        },
        &group));
    with_atlas(line.add(
        "list", "one line a sample (TSV)",
        [options](Context& context) { return run_list(context, *options); }, &group));
    CLI::App& verify = with_atlas(line.add(
        "verify", "check every file: size, checksum, structure, index ranges",
        [options](Context& context) { return run_verify(context, *options); }, &group));
    verify.add_flag("--repair", options->repair,
                    "remove leftovers and files that nothing names, derive the registry anew");
    CLI::App& remove = with_atlas(line.add(
        "remove", "take a sample out of the atlas",
        [options](Context& context) { return run_remove(context, *options); }, &group));
    remove.add_option("--sample", options->sample, "name of the sample")->required();
    remove.add_flag("--force", options->force, "also when a run trains on it");
}

}  // namespace smeta::drivers
