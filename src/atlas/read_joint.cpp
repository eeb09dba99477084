#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "smeta/atlas/names.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/joint.hpp"
#include "smeta/io/labels.hpp"

#include "finish_sample.hpp"
#include "read_sample.hpp"

namespace smeta::atlas {

namespace {

std::string columns_of(const io::Frame& obs) {
    std::vector<std::string> names;
    for (const auto& column : obs.columns) names.push_back(column.first);
    return fmt::format("columns {}", fmt::join(names, ", "));
}

/// Rows of each sample. Every row must have a sample name.
std::map<std::string, std::vector<std::int64_t>> rows_by_sample(const io::AnnData& data,
                                                                const SampleSource& source,
                                                                const IngestConfig& config) {
    std::map<std::string, std::vector<std::int64_t>> rows;
    if (!source.name.empty()) {
        auto& all = rows[source.name];
        for (std::int64_t i = 0; i < data.obs.rows(); ++i) all.push_back(i);
        return rows;
    }
    if (data.obs.find(config.sample_key) == nullptr)
        throw core::FormatError(
            {source.joint, "obs",
             fmt::format("a column '{}' that tells samples apart", config.sample_key),
             columns_of(data.obs), "--sample NAME, or set ingest.sample_key"});
    const auto names = data.obs.as_text(config.sample_key, source.joint);
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!is_valid_name(names[i]))
            throw core::FormatError(
                {source.joint,
                 fmt::format("obs/{}, row '{}'", config.sample_key, data.obs.index[i]),
                 "a sample name of [A-Za-z0-9_.-]", fmt::format("'{}'", names[i]), ""});
        rows[names[i]].push_back(static_cast<std::int64_t>(i));
    }
    return rows;
}

/// The sample's cohort: of the source, else of the column, else "default".
std::string cohort_of(const io::AnnData& data, const SampleSource& source,
                      const IngestConfig& config, const std::vector<std::int64_t>& rows,
                      const std::string& sample) {
    if (!source.cohort.empty()) return source.cohort;
    if (data.obs.find(config.cohort_key) == nullptr) {
        if (config.cohort_key != IngestConfig{}.cohort_key)
            throw core::FormatError(
                {source.joint, "obs",
                 fmt::format("the column '{}' of ingest.cohort_key", config.cohort_key),
                 columns_of(data.obs), ""});
        return "default";
    }
    const auto cohorts = data.obs.as_text(config.cohort_key, source.joint);
    for (const auto row : rows)
        if (cohorts[row] != cohorts[rows.front()])
            throw core::FormatError(
                {source.joint, fmt::format("obs/{}", config.cohort_key),
                 fmt::format("one cohort for all rows of sample '{}'", sample),
                 fmt::format("'{}' and '{}'", cohorts[rows.front()], cohorts[row]), ""});
    check_name("cohort", cohorts[rows.front()]);
    return cohorts[rows.front()];
}

/// Spots of the sample that the table names.
std::int64_t add_joint_labels(io::MuData& data, const SampleSource& source) {
    std::int64_t matched = 0;
    const auto& obs = data.modalities.front().second.obs;
    const auto labels = categorical(io::read_labels(source.labels, obs, matched));
    for (auto& [name, modality] : data.modalities) modality.obs.set("label", labels);
    return matched;
}

io::MatrixValues rows_of(const io::MatrixValues& values, const std::vector<std::int64_t>& rows) {
    if (const auto* csr = std::get_if<core::CountsCsr>(&values))
        return core::select_rows(*csr, rows);
    return core::MatrixF(std::get<core::MatrixF>(values)(rows, Eigen::all));
}

/// A .h5mu whose modalities have the same rows in one order.
io::MuData read_paired_h5mu(const SampleSource& source, const IngestConfig& config) {
    io::MuData data = io::read_h5mu(source.joint);
    for (auto& [name, modality] : data.modalities) {
        if (modality.obs.find(config.sample_key) == nullptr &&
            data.obs.find(config.sample_key) != nullptr && data.obs.index == modality.obs.index)
            modality.obs.set(config.sample_key, *data.obs.find(config.sample_key));
        io::apply_value_policy(modality,
                               name == "st" ? io::ValueKind::Counts : io::ValueKind::Intensities,
                               config.source.values, source.joint);
    }
    for (const auto& [name, modality] : data.modalities)
        if (modality.obs.index != data.modalities.front().second.obs.index)
            throw core::FormatError(
                {source.joint, "mod/" + name + "/obs",
                 "the observations of mod/" + data.modalities.front().first + " in their order",
                 "others",
                 "a joint file has one row a spot; ingest spots and pixels of their own with --st "
                 "and --sm"});
    return data;
}

/// Some rows of a file that may be large: only they are copied.
io::AnnData rows_of(const io::AnnData& all, const std::vector<std::int64_t>& rows) {
    io::AnnData part;
    part.obs = all.obs.select(rows);
    part.var = all.var;
    if (all.x) part.x = rows_of(*all.x, rows);
    for (const auto& [name, layer] : all.layers) part.layers.emplace(name, rows_of(layer, rows));
    for (const auto& [name, values] : all.obsm)
        part.obsm.emplace(name, core::MatrixD(values(rows, Eigen::all)));
    part.float_obsm = all.float_obsm;
    part.uns = all.uns;
    return part;
}

/// What becomes of the rows of one sample. `labelled`: spots that the source's table names.
JointSample joint_sample(const std::string& name, std::string cohort, io::MuData data,
                         const SampleSource& source, std::int64_t& labelled) {
    JointSample sample{name, std::move(cohort), std::move(data)};
    if (!source.labels.empty()) labelled += add_joint_labels(sample.data, source);
    SampleSource named = source;
    named.name = name;
    finish_sample(sample.data, named, sample.cohort);
    return sample;
}

std::vector<JointSample> read_h5mu_samples(const SampleSource& source, const IngestConfig& config,
                                           std::int64_t& labelled) {
    const io::MuData all = read_paired_h5mu(source, config);
    const io::AnnData& first = all.modalities.front().second;
    check_coordinates(first, source.joint);
    std::vector<JointSample> samples;
    for (const auto& [name, rows] : rows_by_sample(first, source, config)) {
        io::MuData data;
        for (const auto& [modality, values] : all.modalities)
            data.modalities.emplace_back(modality, rows_of(values, rows));
        samples.push_back(joint_sample(name, cohort_of(first, source, config, rows, name),
                                       std::move(data), source, labelled));
    }
    return samples;
}

std::vector<JointSample> read_h5ad_samples(const SampleSource& source, const IngestConfig& config,
                                           std::int64_t& labelled) {
    const io::AnnData all = io::read_h5ad(source.joint);
    check_coordinates(all, source.joint);
    std::vector<JointSample> samples;
    for (const auto& [name, rows] : rows_by_sample(all, source, config)) {
        auto modalities = io::split_joint(rows_of(all, rows), config.source.values, source.joint);
        io::MuData data;
        if (modalities.sm) data.modalities.emplace_back("sm", std::move(*modalities.sm));
        if (modalities.st) data.modalities.emplace_back("st", std::move(*modalities.st));
        samples.push_back(joint_sample(name, cohort_of(all, source, config, rows, name),
                                       std::move(data), source, labelled));
    }
    return samples;
}

}  // namespace

std::vector<JointSample> read_joint_samples(const SampleSource& source,
                                            const IngestConfig& config) {
    std::int64_t labelled = 0;
    auto samples = source.joint.ends_with(".h5mu") ? read_h5mu_samples(source, config, labelled)
                                                   : read_h5ad_samples(source, config, labelled);
    if (!source.labels.empty() && labelled == 0)
        throw core::FormatError(
            {source.labels, "", fmt::format("labels of spots of {}", source.joint),
             "no row that names one of them", "a column spot with the spots' names, or x and y"});
    return samples;
}

}  // namespace smeta::atlas
