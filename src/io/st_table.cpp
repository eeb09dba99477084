#include "smeta/io/st_table.hpp"

#include <filesystem>
#include <optional>
#include <unordered_map>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/core/progress.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::io {

namespace {

struct ArrayPosition {
    std::int32_t column;
    std::int32_t row;
};

std::optional<ArrayPosition> parse_spot_name(std::string_view name) {
    const std::size_t cross = name.find('x');
    if (cross == std::string_view::npos) return std::nullopt;
    const auto column = parse_integer(name.substr(0, cross));
    const auto row = parse_integer(name.substr(cross + 1));
    if (!column || !row || *column < 0 || *row < 0 || *column > 1'000'000 || *row > 1'000'000)
        return std::nullopt;
    return ArrayPosition{static_cast<std::int32_t>(*column), static_cast<std::int32_t>(*row)};
}

/// The rows as read: names, counts, and the values of columns x and y where the table has them.
struct Counts {
    AnnData data;
    std::vector<double> xs;
    std::vector<double> ys;
};

/// Header columns split into the row name, x, y and genes.
struct Layout {
    std::size_t fields = 0;  ///< of a row; 0 until the first one is seen
    std::size_t shift = 0;   ///< 1 when the header has no field for the row names
    std::optional<std::size_t> x;
    std::optional<std::size_t> y;
    std::vector<std::string> header;
    std::vector<std::size_t> genes;  ///< positions in the header
};

Layout plan(std::vector<std::string> header, std::size_t row_fields, const std::string& path) {
    Layout layout;
    layout.header = std::move(header);
    layout.fields = row_fields;
    layout.shift = row_fields == layout.header.size() + 1 ? 1 : 0;
    for (std::size_t i = layout.shift == 1 ? 0 : 1; i < layout.header.size(); ++i) {
        if (layout.header[i] == "x")
            layout.x = i;
        else if (layout.header[i] == "y")
            layout.y = i;
        else
            layout.genes.push_back(i);
    }
    if (layout.x.has_value() != layout.y.has_value())
        throw core::FormatError({path, "header", "both columns x and y, or neither", "one", ""});
    if (layout.genes.empty())
        throw core::FormatError({path, "header", "a row name and one column a gene",
                                 fmt::format("{} columns", layout.header.size()), ""});
    return layout;
}

Counts read_counts(const std::string& path) {
    TextTable table(path);
    std::vector<std::string_view> fields;
    if (!table.next(fields))
        throw core::FormatError({path, "", "a header of genes and rows", "an empty file", ""});
    const std::vector<std::string> header(fields.begin(), fields.end());
    Counts counts;
    Layout layout;
    core::CountsCsr x;
    core::Progress progress(fmt::format("reading {}", path), 0);
    while (table.next(fields)) {
        if (layout.fields == 0) layout = plan(header, fields.size(), path);
        if (fields.size() != layout.header.size() + layout.shift)
            throw core::FormatError({path, fmt::format("line {}", table.line_number()),
                                     fmt::format("{} fields", layout.header.size() + layout.shift),
                                     fmt::format("{} fields", fields.size()),
                                     "every row has a value of every column of the header"});
        const auto number = [&](std::size_t column) {
            return require_number(fields[column + layout.shift], path, table.line_number(),
                                  layout.header[column]);
        };
        counts.data.obs.index.emplace_back(fields[0]);
        if (layout.x) {
            counts.xs.push_back(number(*layout.x));
            counts.ys.push_back(number(*layout.y));
        }
        for (std::size_t g = 0; g < layout.genes.size(); ++g) {
            const std::string_view text = fields[layout.genes[g] + layout.shift];
            if (text.size() == 1 && text[0] == '0') continue;
            const bool digit = text.size() == 1 && text[0] > '0' && text[0] <= '9';
            const double value = digit ? text[0] - '0' : number(layout.genes[g]);
            if (value == 0.0) continue;
            x.indices.push_back(static_cast<std::int32_t>(g));
            x.values.push_back(static_cast<float>(value));
        }
        x.indptr.push_back(static_cast<std::int64_t>(x.indices.size()));
        ++x.rows;
        progress.advance();
    }
    if (layout.fields == 0)
        throw core::FormatError(
            {path, "", "at least one row of counts", "only a header",
             "a spots-by-genes table has a row of gene names, then a row a spot"});
    x.cols = static_cast<std::int32_t>(layout.genes.size());
    counts.data.x = std::move(x);
    std::vector<std::string> names;
    for (const std::size_t g : layout.genes) names.push_back(header[g]);
    counts.data.var = gene_frame(names, {}, path);
    check_unique(counts.data.obs.index, "spot", path);
    return counts;
}

std::string find_positions(const std::string& path) {
    namespace fs = std::filesystem;
    const fs::path folder = fs::path(path).parent_path();
    const std::string stem = table_stem(path);
    for (const fs::path& candidate :
         {folder / (stem + "_selection.tsv"), folder / ".." / "spots" / (stem + "_selection.tsv"),
          folder / ("alignment_table_" + stem + ".tsv")})
        for (const char* suffix : {"", ".gz"})
            if (fs::exists(candidate.string() + suffix)) return candidate.string() + suffix;
    return {};
}

/// Replaces array by pixel positions and leaves out spots outside the tissue or the table.
void apply_positions(AnnData& data, const std::string& path) {
    const TextColumns table = read_text_columns(path);
    const std::size_t x = table.column("x");
    const std::size_t y = table.column("y");
    const std::size_t pixel_x = table.column("pixel_x");
    const std::size_t pixel_y = table.column("pixel_y");
    const auto selected = table.find("selected");
    std::unordered_map<std::string, std::size_t> row_of;
    for (std::size_t i = 0; i < table.rows.size(); ++i)
        row_of.emplace(table.rows[i][x] + "x" + table.rows[i][y], i);
    std::vector<std::int64_t> kept;
    std::vector<std::size_t> table_row;
    std::int64_t outside = 0;
    std::int64_t unknown = 0;
    for (std::size_t s = 0; s < data.obs.index.size(); ++s) {
        const auto it = row_of.find(data.obs.index[s]);
        if (it == row_of.end()) {
            ++unknown;
        } else if (selected && table.rows[it->second][*selected] == "0") {
            ++outside;
        } else {
            kept.push_back(static_cast<std::int64_t>(s));
            table_row.push_back(it->second);
        }
    }
    if (kept.empty())
        throw core::FormatError({path, "", "positions of the spots of the count table",
                                 "no spot that both tables have", ""});
    if (unknown > 0)
        core::log_warning("{}: {} spots of the count table have no position and are left out", path,
                          unknown);
    select_observations(data, kept);
    core::MatrixD spatial(kept.size(), 2);
    for (std::size_t r = 0; r < kept.size(); ++r) {
        const auto line = static_cast<std::int64_t>(table_row[r]) + 2;
        spatial.row(static_cast<Eigen::Index>(r))
            << require_number(table.rows[table_row[r]][pixel_x], path, line, "pixel_x"),
            require_number(table.rows[table_row[r]][pixel_y], path, line, "pixel_y");
    }
    data.obsm["spatial"] = std::move(spatial);
    set_unit(data, kUnitPixel, std::nullopt);
    note_dropped(data, "outside_tissue", outside);
    note_dropped(data, "no_position", unknown);
}

}  // namespace

std::string table_stem(const std::string& path) {
    std::filesystem::path name = std::filesystem::path(path).filename();
    if (name.extension() == ".gz") name = name.stem();
    return name.stem().string();
}

AnnData read_st_table(const std::string& path, const StTableOptions& options) {
    Counts counts = read_counts(path);
    AnnData data = std::move(counts.data);
    std::vector<std::int32_t> columns;
    std::vector<std::int32_t> rows;
    for (const std::string& name : data.obs.index)
        if (const auto position = parse_spot_name(name)) {
            columns.push_back(position->column);
            rows.push_back(position->row);
        }
    const auto spots = static_cast<std::int64_t>(data.obs.index.size());
    const bool on_array = static_cast<std::int64_t>(columns.size()) == spots;
    core::MatrixD spatial(spots, 2);
    if (!counts.xs.empty()) {
        for (std::int64_t s = 0; s < spots; ++s) spatial.row(s) << counts.xs[s], counts.ys[s];
    } else if (on_array) {
        for (std::int64_t s = 0; s < spots; ++s) spatial.row(s) << columns[s], rows[s];
    }
    if (on_array) {
        data.obs.set("array_row", rows);
        data.obs.set("array_col", columns);
    }
    if (on_array || !counts.xs.empty()) {
        data.obsm["spatial"] = std::move(spatial);
        set_unit(data, kUnitArray, std::nullopt);
    }
    std::string positions = options.positions;
    if (options.use_positions && positions.empty()) positions = find_positions(path);
    if (options.use_positions && !positions.empty())
        apply_positions(data, positions);
    else if (!data.obsm.contains("spatial"))
        core::log_warning(
            "{}: rows are not named XxY and there are no columns x and y: spots have "
            "no positions",
            path);
    apply_value_policy(data, ValueKind::Counts, options.values, path);
    return data;
}

}  // namespace smeta::io
