#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "smeta/atlas/ingest.hpp"
#include "smeta/atlas/ingest_session.hpp"
#include "smeta/core/error.hpp"

#include "stage_options.hpp"

namespace smeta::drivers {

namespace {

struct IngestOptions {
    std::string atlas;
    std::string study;
    bool replace = false;
    std::vector<std::string> samples;
    std::vector<std::string> others;  ///< NAME=PATH
    atlas::SampleSource source;
};

/// What goes into the atlas, and the rest of the study.
struct Sources {
    std::vector<atlas::SampleSource> wanted;
    std::vector<atlas::SampleSource> rest;
};

void take_others(const std::vector<std::string>& assignments, atlas::SampleSource& source) {
    for (const std::string& assignment : assignments) {
        const auto equals = assignment.find('=');
        if (equals == 0 || equals == std::string::npos || equals + 1 == assignment.size())
            throw core::ConfigError(fmt::format(
                "ingest: --mod {}: expected NAME=PATH, such as protein=protein.h5ad", assignment));
        if (!source.others.emplace(assignment.substr(0, equals), assignment.substr(equals + 1))
                 .second)
            throw core::ConfigError(fmt::format("ingest: --mod {}: the modality is given twice",
                                                assignment.substr(0, equals)));
    }
}

/// The sources and the atlas they go to. Collective.
Sources sources_of(Context& context, IngestOptions& options) {
    auto& one = options.source;
    take_others(options.others, one);
    const bool described = !one.cohort.empty() || !one.st.empty() || !one.sm.empty() ||
                           !one.others.empty() || !one.joint.empty() || !one.labels.empty() ||
                           !one.sm_columns.empty() || !one.image.empty() || one.image_scale ||
                           one.image_microns_per_pixel;
    const bool single = described || !options.samples.empty();
    if (options.study.empty() ? !single : described)
        throw core::ConfigError(
            "ingest: give either --study (and --sample for some of its samples), or --sample with "
            "--st, --sm, --mod or --joint (see smeta ingest --help)");
    if (options.study.empty()) {
        if (options.atlas.empty()) throw core::ConfigError("ingest: --atlas is required");
        if (options.samples.size() > 1)
            throw core::ConfigError("ingest: without --study, --sample names one sample");
        if (!options.samples.empty()) one.name = options.samples.front();
        one.origin = "command line";
        return {{one}, {}};
    }
    const auto text = read_shared_text(context.comm, options.study);
    apply_study(context, text, options.study);
    const auto study = atlas::parse_study(text, options.study);
    if (options.atlas.empty()) options.atlas = study.atlas;
    if (options.samples.empty()) return {study.samples, {}};
    return {atlas::select_samples(study, options.samples), study.samples};
}

std::string_view outcome_text(atlas::IngestOutcome outcome) {
    switch (outcome) {
        case atlas::IngestOutcome::Added:
            return "added";
        case atlas::IngestOutcome::Replaced:
            return "replaced";
        case atlas::IngestOutcome::Unchanged:
            return "unchanged";
    }
    return "";
}

/// Rows are known when the files have been read: their bytes stand for them. Local.
std::string plan(const Context& context, const std::string& folder,
                 std::vector<atlas::SampleSource> sources) {
    constexpr double kUnpacked = 4;  // bytes in memory for one of a compressed file
    std::sort(sources.begin(), sources.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    std::string text = "sample\tcohort\tst\tsm\tmod\tjoint\tMiB\trank\n";
    PlanSums sums(context, folder);
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const auto& source = sources[i];
        atlas::check_source(source);
        const auto bytes = static_cast<double>(atlas::source_bytes(source));
        std::vector<std::string> others;
        for (const auto& [name, path] : source.others)
            others.push_back(fmt::format("{}={}", name, path));
        text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{:.1f}\t{}\n", source.name, source.cohort,
                            source.st, fmt::join(source.sm, ","), fmt::join(others, ","),
                            source.joint, mebibytes(bytes), sums.add(kUnpacked * bytes, bytes));
    }
    return text + "\n" + sums.text();
}

int run_ingest(Context& context, IngestOptions& options) {
    const auto sources = sources_of(context, options);
    if (context.options.dry_run) {
        std::string text;
        context.comm.root_or_throw([&] { text = plan(context, options.atlas, sources.wanted); });
        print(context, text);
        return 0;
    }
    atlas::IngestSession session(context.comm, options.atlas);
    const auto samples = atlas::ingest(
        context.comm, session.atlas(), sources.wanted, context.settings.ingest,
        options.replace ? atlas::ExistingSample::Replace : atlas::ExistingSample::Refuse,
        sources.rest);
    std::string text = "sample\tcohort\toutcome\tmodality\trows\tfeatures\n";
    for (const auto& sample : samples)
        for (const auto& [modality, shape] : sample.modalities)
            text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", sample.name, sample.cohort,
                                outcome_text(sample.outcome), modality, shape.rows, shape.features);
    print(context, text);
    return 0;
}

}  // namespace

void add_ingest(CommandLine& line) {
    auto options = std::make_shared<IngestOptions>();
    auto& command = line.add("ingest", "Read raw data into the atlas",
                             [options](Context& context) { return run_ingest(context, *options); });
    auto& source = options->source;
    command.add_option("--atlas", options->atlas, "folder of the atlas (created if needed)");
    command.add_option("--study", options->study, "study.toml that names the samples");
    command.add_option("--sample", options->samples,
                       "name of the sample; with --study only this one of its samples "
                       "(repeatable)");
    command.add_option("--cohort", source.cohort, "its cohort (default: default)");
    command.add_option("--st", source.st,
                       "transcriptomics: Space Ranger folder, 10x .h5 or MTX folder, .h5ad, .h5mu, "
                       "spots-by-genes table");
    command.add_option("--sm", source.sm,
                       "metabolomics: imzML (once, or positive and negative), table, .h5ad, .h5mu");
    command.add_option("--mod", options->others,
                       "NAME=PATH: another modality of the spots, such as protein=protein.h5ad "
                       "(table with a column spot, .h5ad, .h5mu; repeatable)");
    command.add_option("--joint", source.joint,
                       "SpatialMETA's joint .h5ad, in place of --st and --sm");
    command.add_option("--labels", source.labels, "table of spot labels");
    command.add_option("--image", source.image,
                       "image of the section under the spots of --st: PNG, JPEG or TIFF, in place "
                       "of Space Ranger's");
    command.add_option(
        "--image-scale", source.image_scale,
        "pixels of --image per unit of the spots' coordinates (default: 1 where these "
        "are pixels)");
    command.add_option("--image-microns-per-pixel", source.image_microns_per_pixel,
                       "size of a pixel of --image, in place of --image-scale");
    command.add_option("--sm-columns", source.sm_columns,
                       "regular expression: feature columns of an SM table");
    command.add_flag("--replace", options->replace,
                     "put samples in the place of those that the atlas has with other content");
}

}  // namespace smeta::drivers
