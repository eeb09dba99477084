#include "smeta/atlas/query.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/atlas/feature_match.hpp"
#include "smeta/atlas/ingest.hpp"
#include "smeta/atlas/writer_lock.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"

#include "layout.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

/// Samples of the query's atlas that the run may not know by the same name and data.
std::vector<std::string> new_samples(const ShardedAtlas& atlas, const Run& run) {
    const auto trained = run.samples();
    std::vector<std::string> samples = atlas.samples();
    std::erase_if(samples, [&](const std::string& name) {
        return std::binary_search(trained.begin(), trained.end(), name);
    });
    if (samples.empty())
        throw core::ConfigError(
            fmt::format("run '{}' was trained on every sample of {}: name those to map with "
                        "--sample, or another --query",
                        run.name(), atlas.path().string()));
    return samples;
}

void fill_sample(const JointReader& joint, std::int64_t sample, double ppm, QueryInputs& inputs) {
    auto& columns = inputs.rows.columns.emplace_back();
    auto& coverage = inputs.coverage.emplace_back();
    std::int64_t measured = 0;
    for (ModalityFeatures& modality : inputs.rows.features.modalities) {
        if (!joint.has(modality.name)) continue;
        FeatureMatch match = match_features(modality.var, joint.var(modality.name), ppm);
        for (const std::int32_t feature : match.feature)
            if (feature >= 0) modality.measured(sample, feature) = 1;
        coverage[modality.name] = {.features = modality.var.rows(),
                                   .by_name = match.by_name,
                                   .by_id = match.by_id,
                                   .by_mass = match.by_mass};
        measured += match.matched();
        columns[modality.name] = std::move(match.feature);
    }
    if (measured > 0) return;
    std::string wanted;
    for (const ModalityFeatures& modality : inputs.rows.features.modalities)
        wanted += fmt::format("{}{} ({}, ...)", wanted.empty() ? "" : "; ", modality.name,
                              modality.names().front());
    throw core::ConfigError(
        fmt::format("query sample '{}' measured none of the run's features: expected some of {}, "
                    "found modalities {}",
                    joint.sample(), wanted, fmt::join(joint.modalities(), ", ")));
}

}  // namespace

MapScratch::MapScratch(const comm::Comm& comm, const Run& run, const std::string& name) {
    std::string folder;
    comm.root_or_throw([&] {
        folder = io::temporary_name(run.map_folder(name).string());
        writing_.emplace(writer_lock(run.atlas_path()));
        std::error_code error;
        fs::create_directories(fs::path(folder).parent_path(), error);
        if (error) throw core::IoError::from_errno("create", folder, error.value());
    });
    comm.broadcast(folder);
    folder_ = folder;
}

MapScratch::~MapScratch() {
    std::error_code ignored;
    if (writing_) fs::remove_all(folder_, ignored);
}

QueryFile::QueryFile(const comm::Comm& comm, const Run& run, const Options& options,
                     const IngestConfig& config) {
    std::int32_t is_folder = 0;
    std::int32_t is_own = 0;
    comm.root_or_throw([&] {
        if (!fs::exists(options.path))
            throw core::ConfigError(fmt::format("--query {}: no such atlas or file", options.path));
        is_folder = fs::is_directory(options.path) ? 1 : 0;
        is_own = is_folder != 0 && fs::equivalent(options.path, run.atlas_path()) ? 1 : 0;
    });
    comm.broadcast(is_folder);
    comm.broadcast(is_own);
    if (is_folder != 0)
        atlas_ = ShardedAtlas::open(comm, options.path);
    else
        read_file(comm, run, options, config);
    samples_ = is_own != 0 && options.samples.empty() ? new_samples(*atlas_, run)
                                                      : atlas_->samples(options.samples);
    if (samples_.empty())
        throw core::ConfigError(fmt::format("--query {}: no sample in it", options.path));
}

void QueryFile::read_file(const comm::Comm& comm, const Run& run, const Options& options,
                          const IngestConfig& config) {
    scratch_.emplace(comm, run, "query");
    atlas_ = ShardedAtlas::open_or_create(comm, scratch_->folder());
    SampleSource source;
    source.joint = options.path;
    source.cohort = options.cohort;
    source.origin = fmt::format("--query {}", options.path);
    (void)ingest(comm, *atlas_, {source}, config, ExistingSample::Refuse);
}

QueryInputs QueryFile::inputs(const FeatureSet& features, double ppm) const {
    QueryInputs inputs;
    inputs.rows.root = atlas_->path();
    inputs.rows.samples = joint_inputs(*atlas_, samples_).samples;
    inputs.rows.features = features;
    const auto samples = static_cast<std::int64_t>(inputs.rows.samples.size());
    for (ModalityFeatures& modality : inputs.rows.features.modalities)
        modality.measured.setZero(samples, modality.var.rows());
    for (std::int64_t s = 0; s < samples; ++s)
        fill_sample(JointReader(atlas_->path(), samples_[s], inputs.rows.samples[s].files), s, ppm,
                    inputs);
    return inputs;
}

}  // namespace smeta::atlas
