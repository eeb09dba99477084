#include "read_sample.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/imzml.hpp"
#include "smeta/io/labels.hpp"
#include "smeta/io/mz_reference.hpp"
#include "smeta/io/sm_imzml.hpp"
#include "smeta/io/source.hpp"
#include "smeta/io/source_info.hpp"

#include "attach_image.hpp"
#include "finish_sample.hpp"

namespace smeta::atlas {

namespace {

bool is_imzml(const std::string& path) {
    constexpr std::string_view kExtension = ".imzml";
    if (path.size() < kExtension.size()) return false;
    return std::equal(
        kExtension.begin(), kExtension.end(), path.end() - kExtension.size(),
        [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

io::SourceOptions options_of(const SampleSource& source, const IngestConfig& config) {
    io::SourceOptions options = config.source;
    options.sample = source.name;
    options.sm_columns = source.sm_columns;
    return options;
}

void rename_metabolites(io::AnnData& sm, const MassNames& names) {
    const auto mz = sm.var.as_number("mz", "");
    const auto polarity = sm.var.as_text("polarity", "");
    for (std::size_t i = 0; i < mz.size(); ++i) {
        const auto found = names.find({polarity[i], mz[i]});
        core::check(found != names.end(), "both passes over an image find the same m/z bins");
        sm.var.index[i] = found->second;
    }
}

/// SM row of each ST spot that has one of its name.
struct NamePairs {
    std::vector<std::int64_t> st;
    std::vector<std::int64_t> sm;
};

NamePairs pairs_by_name(const io::AnnData& st, const io::AnnData& sm) {
    std::unordered_map<std::string, std::int64_t> row_of;
    for (std::size_t i = 0; i < sm.obs.index.size(); ++i)
        row_of.emplace(sm.obs.index[i], static_cast<std::int64_t>(i));
    NamePairs pairs;
    for (std::size_t i = 0; i < st.obs.index.size(); ++i)
        if (const auto found = row_of.find(st.obs.index[i]); found != row_of.end()) {
            pairs.st.push_back(static_cast<std::int64_t>(i));
            pairs.sm.push_back(found->second);
        }
    return pairs;
}

/// Observations with coordinates are spots of ST when both say so: nearly all names of the smaller
/// of the two are those of the other, at the same places. Names alone ("0", "1", ...) say nothing.
bool same_places(const io::AnnData& st, const io::AnnData& sm, const NamePairs& pairs) {
    constexpr double kNearlyAll = 0.9;
    constexpr double kRounding = 1e-3;  // of the section's diagonal
    const auto matched = static_cast<double>(pairs.st.size());
    const auto [smaller, larger] = std::minmax({st.obs.rows(), sm.obs.rows()});
    const auto places = st.obsm.find("spatial");
    // Without places of the spots there is nothing to align: only names can join them.
    if (places == st.obsm.end()) return matched >= kNearlyAll * static_cast<double>(larger);
    if (matched == 0 || matched < kNearlyAll * static_cast<double>(smaller)) return false;
    const auto spots = places->second.leftCols(2);
    const auto pixels = sm.obsm.at("spatial").leftCols(2);
    const double diagonal = (spots.colwise().maxCoeff() - spots.colwise().minCoeff()).norm();
    for (std::size_t i = 0; i < pairs.st.size(); ++i)
        if ((spots.row(pairs.st[i]) - pixels.row(pairs.sm[i])).norm() > kRounding * diagonal)
            return false;
    return true;
}

/// Pixels that are no spots but have names of spots get those of pixels; the source's names stay in
/// the column source_name.
void rename_pixels(io::AnnData& sm, const SampleSource& source) {
    core::log_warning(
        "{}: observations have names of spots of {}, but not their places: they are taken for "
        "pixels and aligned by their coordinates",
        source.sm.front(), source.st);
    sm.obs.set("source_name", sm.obs.index);
    const auto& places = sm.obsm.at("spatial");
    for (std::size_t i = 0; i < sm.obs.index.size(); ++i) {
        const auto row = static_cast<Eigen::Index>(i);
        sm.obs.index[i] = fmt::format("px_{}_{}", places(row, 0), places(row, 1));
    }
    sm.obs.index = io::make_unique(std::move(sm.obs.index));
}

/// Rows of SM data that are named by spots, in the order of the ST spots. False when they are
/// pixels with places of their own.
bool join_by_name(const io::AnnData& st, io::AnnData& sm, const SampleSource& source) {
    const NamePairs pairs = pairs_by_name(st, sm);
    if (sm.obsm.contains("spatial") && (source.transform || !same_places(st, sm, pairs))) {
        if (!pairs.st.empty()) rename_pixels(sm, source);
        return false;
    }
    if (pairs.sm.empty())
        throw core::FormatError({source.sm.front(), "column 'spot'",
                                 fmt::format("names of the spots of {}", source.st),
                                 fmt::format("'{}' and others, none of which is a spot",
                                             sm.obs.index.empty() ? "" : sm.obs.index.front()),
                                 "names must be equal, with suffixes such as -1"});
    const auto left = sm.obs.rows() - static_cast<std::int64_t>(pairs.sm.size());
    if (left > 0)
        core::log_warning("{}: {} of {} rows are no spot of {} and are left out", source.sm.front(),
                          left, sm.obs.rows(), source.st);
    io::select_observations(sm, pairs.sm);
    io::note_dropped(sm, "unmatched_spot", left);
    return true;
}

/// Features are named FEATURE_MODALITY in every sample, whether or not a gene has the name: panels
/// of proteins share names with genes.
void name_features(io::AnnData& data, const std::string& modality) {
    const std::string suffix = "_" + modality;
    data.var.set("source_name", data.var.index);
    for (std::string& name : data.var.index)
        if (!name.ends_with(suffix)) name += suffix;
    data.var.index = io::make_unique(std::move(data.var.index));
}

/// Rows that are no spot of the modality that has the places are left out.
void keep_spots_of(const io::AnnData& base, io::AnnData& data, const std::string& modality,
                   const std::string& path) {
    const std::unordered_set<std::string_view> spots(base.obs.index.begin(), base.obs.index.end());
    std::vector<std::int64_t> kept;
    for (std::size_t i = 0; i < data.obs.index.size(); ++i)
        if (spots.contains(data.obs.index[i])) kept.push_back(static_cast<std::int64_t>(i));
    if (kept.empty())
        throw core::FormatError({path, fmt::format("spots of modality '{}'", modality),
                                 "names of spots of the sample",
                                 fmt::format("'{}' and others, none of which is a spot",
                                             data.obs.index.empty() ? "" : data.obs.index.front()),
                                 "names must be equal, with suffixes such as -1"});
    const auto left = data.obs.rows() - static_cast<std::int64_t>(kept.size());
    if (left == 0) return;
    core::log_warning("{}: {} of {} rows are no spot of the sample and are left out", path, left,
                      data.obs.rows());
    io::select_observations(data, kept);
    io::note_dropped(data, "unmatched_spot", left);
}

io::AnnData read_other(const std::string& modality, const std::string& path,
                       const io::MuData& others, const io::SourceOptions& options) {
    io::AnnData data = io::read_other_source(modality, path, options);
    check_coordinates(data, path);
    name_features(data, modality);
    for (const char* base : {"st", "sm"})
        if (const io::AnnData* spots = others.find(base)) {
            keep_spots_of(*spots, data, modality, path);
            break;
        }
    return data;
}

void add_labels(io::AnnData& data, const SampleSource& source) {
    io::Frame keys = data.obs;
    if (keys.find("array_col") == nullptr && keys.find("x") != nullptr) {
        keys.set("array_col", *data.obs.find("x"));
        keys.set("array_row", *data.obs.find("y"));
    }
    std::int64_t matched = 0;
    auto labels = io::read_labels(source.labels, keys, matched);
    if (matched == 0)
        throw core::FormatError(
            {source.labels, "", fmt::format("labels of spots of '{}'", source.name),
             "no row that names one of them", "a column spot with the spots' names, or x and y"});
    core::log_info("{}: {} of {} labelled", source.name, matched, data.obs.rows());
    data.obs.set("label", categorical(labels));
}

}  // namespace

bool has_images(const SampleSource& source) {
    return !source.sm.empty() && is_imzml(source.sm.front());
}

MassNames committed_names(const ShardedAtlas& atlas, const std::string& sample) {
    MassNames names;
    if (atlas.manifest().find(sample, kRaw) == nullptr) return names;  // came as a joint file
    const auto file = atlas.stage_file(sample, kRaw).string();
    const auto modalities = io::modality_names(file);
    if (std::find(modalities.begin(), modalities.end(), "sm") == modalities.end()) return names;
    const io::Frame var = io::AnnDataReader(file, "sm").var();
    if (var.find("mz") == nullptr || var.find("polarity") == nullptr) return names;
    const auto mz = var.as_number("mz", file);
    const auto polarity = var.as_text("polarity", file);
    for (std::size_t i = 0; i < mz.size(); ++i)
        if (std::isfinite(mz[i])) names[{polarity[i], mz[i]}] = var.index[i];
    return names;
}

std::vector<MassBin> mass_bins(const SampleSource& source, const IngestConfig& config) {
    std::vector<MassBin> bins;
    if (!has_images(source)) return bins;
    io::SmImzmlOptions options;
    options.ppm = config.source.mz_ppm;
    options.max_bin_ppm = config.source.max_bin_ppm;
    std::vector<std::string> polarity;
    std::vector<io::MzBins> found;
    for (const auto& path : source.sm) {
        // The checksum is verified when the intensities are read.
        io::ImzmlReader reader(path,
                               {.uuid = config.source.values.imzml_uuid, .verify_checksum = false});
        found.push_back(io::mz_reference(reader, options, path));
        polarity.emplace_back(io::polarity_name(reader.header().polarity));
    }
    if (found.size() == 2) {  // as read_sm_imzml has it: one file may lack its polarity, or both
        const bool swapped = polarity[0] == "neg" || polarity[1] == "pos";
        polarity = swapped ? std::vector<std::string>{"neg", "pos"}
                           : std::vector<std::string>{"pos", "neg"};
    }
    for (std::size_t i = 0; i < found.size(); ++i)
        for (const double mz : found[i].center) bins.push_back({polarity[i], mz});
    return bins;
}

io::MuData read_sample(const SampleSource& source, const MassNames& names,
                       const IngestConfig& config) {
    const auto options = options_of(source, config);
    io::MuData raw;
    bool paired = false;
    std::optional<io::AnnData> st;
    if (!source.st.empty()) {
        st = io::read_st_source(source.st, options);
        check_coordinates(*st, source.st);
        if (source.image.empty())
            check_image(*st, source);
        else
            attach_image(*st, source);
        if (!source.labels.empty()) add_labels(*st, source);
    }
    if (!source.sm.empty()) {
        io::AnnData sm = io::read_sm_source(source.sm, options);
        check_coordinates(sm, source.sm.front());
        if (!names.empty()) rename_metabolites(sm, names);
        if (st) paired = join_by_name(*st, sm, source);
        if (!st && !source.labels.empty()) add_labels(sm, source);
        raw.modalities.emplace_back("sm", std::move(sm));
    }
    if (st) raw.modalities.emplace_back("st", std::move(*st));
    for (const auto& [name, path] : source.others) {
        io::AnnData other = read_other(name, path, raw, options);
        if (raw.modalities.empty() && !source.labels.empty()) add_labels(other, source);
        raw.modalities.emplace_back(name, std::move(other));
    }
    if (paired) set_paired(raw);
    if (source.transform) set_given_transform(raw, *source.transform);
    finish_sample(raw, source, source.cohort.empty() ? "default" : source.cohort);
    return raw;
}

}  // namespace smeta::atlas
