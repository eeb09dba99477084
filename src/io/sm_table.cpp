#include "smeta/io/sm_table.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <regex>
#include <unordered_set>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::io {

namespace {

constexpr std::size_t kLongestName = 1000;

/// Which columns of the table are what.
struct Layout {
    std::optional<std::size_t> spot;
    std::size_t x = 0;
    std::size_t y = 0;
    std::vector<std::string> header;
    std::vector<std::size_t> features;
};

bool is_position(const std::string& name) {
    constexpr std::array<std::string_view, 5> kNames{"spot", "x", "y", "pixel_x", "pixel_y"};
    return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Layout read_layout(const std::string& path, std::vector<std::string> header,
                   const std::string& columns) {
    Layout layout;
    layout.header = std::move(header);
    const auto find = [&](std::string_view name) -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < layout.header.size(); ++i)
            if (layout.header[i] == name) return i;
        return std::nullopt;
    };
    layout.spot = find("spot");
    const auto x = find("x");
    const auto y = find("y");
    if (!layout.spot && (!x || !y))
        throw core::FormatError(
            {path, "header", "a column 'spot', or columns 'x' and 'y'",
             fmt::format("{}", fmt::join(layout.header.begin(),
                                         layout.header.begin() +
                                             std::min<std::size_t>(layout.header.size(), 5),
                                         ", ")),
             ""});
    layout.x = x.value_or(0);
    layout.y = y.value_or(0);
    std::regex pattern;
    try {
        pattern = std::regex(columns);
    } catch (const std::regex_error& error) {
        throw core::ConfigError(
            fmt::format("'{}' is no regular expression: {}", columns, error.what()));
    }
    for (std::size_t i = 0; i < layout.header.size(); ++i) {
        // std::regex recurses a few frames a character.
        if (!columns.empty() && layout.header[i].size() > kLongestName)
            throw core::FormatError(
                {path, fmt::format("header, column {}", i + 1),
                 fmt::format("names of at most {} characters to search in", kLongestName),
                 fmt::format("one of {}", layout.header[i].size()), ""});
        if (columns.empty() ? !is_position(layout.header[i])
                            : std::regex_search(layout.header[i], pattern))
            layout.features.push_back(i);
    }
    if (layout.features.empty())
        throw core::FormatError(
            {path, "header", "at least one feature column",
             columns.empty() ? "none" : fmt::format("none matches '{}'", columns), ""});
    return layout;
}

Frame feature_frame(const Layout& layout, const std::string& polarity, FeatureKind kind) {
    Frame var;
    std::vector<double> mz;
    bool all_bare = true;
    for (const std::size_t f : layout.features) {
        const std::string& name = layout.header[f];
        const auto bare = parse_number(name);
        all_bare = all_bare && bare && *bare > 0;
        mz.push_back(bare.value_or(0));
        const bool is_mass = kind == FeatureKind::Metabolites && bare && *bare > 0;
        var.index.push_back(is_mass ? metabolite_name(*bare, polarity) : name);
    }
    if (kind == FeatureKind::Other) {
        var.index = make_unique(std::move(var.index));
        return var;
    }
    if (all_bare) var.set("mz", std::move(mz));  // with all digits, not the four of the name
    add_mz_columns(var, polarity);
    var.index = make_unique(std::move(var.index));
    return var;
}

}  // namespace

AnnData read_sm_table(const std::string& path, const SmTableOptions& options) {
    TextTable table(path);
    std::vector<std::string_view> fields;
    if (!table.next(fields))
        throw core::FormatError({path, "", "a header line and rows", "an empty file", ""});
    const Layout layout = read_layout(path, {fields.begin(), fields.end()}, options.columns);
    AnnData data;
    data.var = feature_frame(layout, options.polarity, options.features);
    core::CountsCsr x;
    x.cols = static_cast<std::int32_t>(layout.features.size());
    std::vector<double> xs;
    std::vector<double> ys;
    std::unordered_set<std::string> seen;
    std::int64_t duplicates = 0;
    while (table.next(fields)) {
        if (fields.size() != layout.header.size())
            throw core::FormatError({path, fmt::format("line {}", table.line_number()),
                                     fmt::format("{} fields", layout.header.size()),
                                     fmt::format("{} fields", fields.size()),
                                     "every row has a value of every column of the header"});
        const auto number = [&](std::size_t column) {
            return require_number(fields[column], path, table.line_number(), layout.header[column]);
        };
        std::string name;
        if (layout.spot) {
            name = fields[*layout.spot];
        } else {
            const double px = number(layout.x);
            const double py = number(layout.y);
            name = fmt::format("px_{}_{}", px, py);
            if (!seen.insert(name).second) {
                ++duplicates;
                continue;
            }
            xs.push_back(px);
            ys.push_back(py);
        }
        data.obs.index.push_back(std::move(name));
        for (std::size_t f = 0; f < layout.features.size(); ++f) {
            const std::string_view text = fields[layout.features[f]];
            if (text == "0") continue;
            const double value = number(layout.features[f]);
            if (value == 0.0) continue;
            x.indices.push_back(static_cast<std::int32_t>(f));
            x.values.push_back(static_cast<float>(value));
        }
        x.indptr.push_back(static_cast<std::int64_t>(x.indices.size()));
        ++x.rows;
    }
    data.x = std::move(x);
    if (layout.spot) {
        check_unique(data.obs.index, "spot", path);
        apply_value_policy(data, ValueKind::Intensities, options.values, path);
        return data;
    }
    core::MatrixD spatial(xs.size(), 2);
    for (std::size_t r = 0; r < xs.size(); ++r)
        spatial.row(static_cast<Eigen::Index>(r)) << xs[r], ys[r];
    data.obsm["spatial"] = std::move(spatial);
    data.obs.set("x", std::move(xs));
    data.obs.set("y", std::move(ys));
    set_unit(data, kUnitRaster, std::nullopt);
    if (duplicates > 0)
        core::log_warning("{}: {} rows at a position that an earlier row has are left out", path,
                          duplicates);
    note_dropped(data, "duplicate_position", duplicates);
    apply_value_policy(data, ValueKind::Intensities, options.values, path);
    drop_zero_rows(data);
    return data;
}

}  // namespace smeta::io
