#include "read_sample.hpp"

#include <algorithm>
#include <cctype>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/imzml.hpp"
#include "smeta/io/labels.hpp"
#include "smeta/io/mz_reference.hpp"
#include "smeta/io/sm_imzml.hpp"
#include "smeta/io/source.hpp"
#include "smeta/io/source_info.hpp"

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

/// Rows of an SM table that is named by spots, in the order of the ST spots. False when the two do
/// not share names.
bool join_by_name(const io::AnnData& st, io::AnnData& sm, const SampleSource& source) {
    std::unordered_map<std::string, std::int64_t> row_of;
    for (std::size_t i = 0; i < sm.obs.index.size(); ++i)
        row_of.emplace(sm.obs.index[i], static_cast<std::int64_t>(i));
    std::vector<std::int64_t> rows;
    for (const auto& spot : st.obs.index)
        if (const auto found = row_of.find(spot); found != row_of.end())
            rows.push_back(found->second);
    const bool has_coordinates = sm.obsm.contains("spatial");
    if (rows.empty() && has_coordinates) return false;
    if (rows.empty())
        throw core::FormatError({source.sm.front(), "column 'spot'",
                                 fmt::format("names of the spots of {}", source.st),
                                 fmt::format("'{}' and others, none of which is a spot",
                                             sm.obs.index.empty() ? "" : sm.obs.index.front()),
                                 "names must be equal, with suffixes such as -1"});
    const auto left = sm.obs.rows() - static_cast<std::int64_t>(rows.size());
    if (left > 0)
        core::log_warning("{}: {} of {} rows are no spot of {} and are left out", source.sm.front(),
                          left, sm.obs.rows(), source.st);
    io::select_observations(sm, rows);
    io::note_dropped(sm, "unmatched_spot", left);
    return true;
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

std::vector<MassBin> mass_bins(const SampleSource& source, const IngestConfig& config) {
    std::vector<MassBin> bins;
    if (source.sm.empty() || !is_imzml(source.sm.front())) return bins;
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
        if (!source.labels.empty()) add_labels(*st, source);
    }
    if (!source.sm.empty()) {
        io::AnnData sm = io::read_sm_source(source.sm, options);
        if (!names.empty()) rename_metabolites(sm, names);
        if (st) paired = join_by_name(*st, sm, source);
        if (!st && !source.labels.empty()) add_labels(sm, source);
        raw.modalities.emplace_back("sm", std::move(sm));
    }
    if (st) raw.modalities.emplace_back("st", std::move(*st));
    if (paired) set_paired(raw);
    if (source.transform) set_given_transform(raw, *source.transform);
    finish_sample(raw, source, source.cohort.empty() ? "default" : source.cohort);
    return raw;
}

}  // namespace smeta::atlas
