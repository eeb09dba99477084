#include "smeta/io/sm_metaspace.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::io {

namespace {

constexpr std::array<std::string_view, 3> kFirstColumns{"mol_formula", "adduct", "mz"};
constexpr std::string_view kNames = "moleculeNames";

bool is_comment(const std::vector<std::string_view>& fields) {
    return !fields.empty() && fields.front().starts_with('#');
}

bool is_header(const std::vector<std::string_view>& fields) {
    return fields.size() >= kFirstColumns.size() &&
           std::equal(kFirstColumns.begin(), kFirstColumns.end(), fields.begin());
}

/// "x12_y3".
struct Pixel {
    std::int64_t x = 0;
    std::int64_t y = 0;
};

std::optional<Pixel> parse_pixel(std::string_view name) {
    const std::size_t middle = name.find("_y");
    if (!name.starts_with('x') || middle == std::string_view::npos) return std::nullopt;
    const auto x = parse_integer(name.substr(1, middle - 1));
    const auto y = parse_integer(name.substr(middle + 2));
    if (!x || !y || *x < 0 || *y < 0) return std::nullopt;
    return Pixel{*x, *y};
}

/// The columns of the pixels, which are the last.
struct Layout {
    std::vector<std::string> header;
    std::size_t first_pixel = 0;
    std::vector<Pixel> pixels;
};

Layout read_layout(const std::string& path, std::int64_t line, std::vector<std::string> header) {
    Layout layout;
    layout.header = std::move(header);
    const auto first = std::find_if(layout.header.begin(), layout.header.end(),
                                    [](const auto& name) { return parse_pixel(name); });
    layout.first_pixel = static_cast<std::size_t>(first - layout.header.begin());
    std::vector<std::string> names(first, layout.header.end());
    for (const std::string& name : names) {
        const auto pixel = parse_pixel(name);
        if (!pixel)
            throw core::FormatError({path, fmt::format("line {}, column '{}'", line, name),
                                     "pixels x0_y0, x0_y1, ... up to the last column", name, ""});
        layout.pixels.push_back(*pixel);
    }
    if (layout.pixels.empty())
        throw core::FormatError({path, fmt::format("line {}", line),
                                 "columns x0_y0, x0_y1, ... of the pixels", "none",
                                 "export the pixel intensities, not the annotations"});
    check_unique(names, "pixel", path);
    return layout;
}

std::string polarity_of(std::string_view adduct) {
    if (adduct.empty()) return "";
    return adduct.starts_with('-') || adduct.starts_with("+Cl") ? "neg" : "pos";
}

/// The annotations' images, one after the other.
struct Images {
    std::vector<std::string> formula;
    std::vector<std::string> adduct;
    std::vector<std::string> molecules;
    std::vector<std::string> polarity;
    std::vector<double> mz;
    core::CountsCsr values;  ///< annotations x pixels
};

void add_image(const Layout& layout, const std::vector<std::string_view>& fields,
               const std::string& path, std::int64_t line, Images& images) {
    if (fields.size() != layout.header.size())
        throw core::FormatError({path, fmt::format("line {}", line),
                                 fmt::format("{} fields", layout.header.size()),
                                 fmt::format("{} fields", fields.size()), "is the file whole?"});
    const auto number = [&](std::size_t column) {
        return require_number(fields[column], path, line, layout.header[column]);
    };
    const double mz = number(2);
    if (!(mz > 0))
        throw core::FormatError({path, fmt::format("line {}, column 'mz'", line), "m/z above 0",
                                 std::string(fields[2]), ""});
    std::string molecules;
    for (std::size_t c = 0; c < layout.first_pixel; ++c)
        if (layout.header[c] == kNames) molecules = fields[c];
    std::erase(molecules, '"');  // METASPACE quotes the names once more
    images.formula.emplace_back(fields[0]);
    images.adduct.emplace_back(fields[1]);
    images.polarity.push_back(polarity_of(fields[1]));
    images.molecules.push_back(std::move(molecules));
    images.mz.push_back(mz);
    std::vector<std::int32_t> pixels;
    std::vector<float> values;
    for (std::size_t p = 0; p < layout.pixels.size(); ++p) {
        const std::string_view text = fields[layout.first_pixel + p];
        if (text == "0") continue;
        const double value = number(layout.first_pixel + p);
        if (value == 0.0) continue;
        pixels.push_back(static_cast<std::int32_t>(p));
        values.push_back(static_cast<float>(value));
    }
    images.values.append_row(pixels, values);
}

core::CountsCsr transposed(const core::CountsCsr& a) {
    core::CountsCsr result;
    result.rows = a.cols;
    result.cols = static_cast<std::int32_t>(a.rows);
    result.indptr.assign(static_cast<std::size_t>(a.cols) + 1, 0);
    for (const std::int32_t column : a.indices) ++result.indptr[column + 1];
    for (std::size_t r = 1; r < result.indptr.size(); ++r) result.indptr[r] += result.indptr[r - 1];
    std::vector<std::int64_t> next(result.indptr.begin(), result.indptr.end() - 1);
    result.indices.resize(a.indices.size());
    result.values.resize(a.values.size());
    for (std::int64_t row = 0; row < a.rows; ++row)
        for (std::int64_t i = a.indptr[row]; i < a.indptr[row + 1]; ++i) {
            const std::int64_t at = next[a.indices[i]]++;
            result.indices[at] = static_cast<std::int32_t>(row);
            result.values[at] = a.values[i];
        }
    return result;
}

void set_pixels(AnnData& data, const std::vector<Pixel>& pixels) {
    core::MatrixD spatial(pixels.size(), 2);
    std::vector<double> xs;
    std::vector<double> ys;
    for (std::size_t p = 0; p < pixels.size(); ++p) {
        data.obs.index.push_back(fmt::format("px_{}_{}", pixels[p].x, pixels[p].y));
        xs.push_back(static_cast<double>(pixels[p].x));
        ys.push_back(static_cast<double>(pixels[p].y));
        spatial.row(static_cast<Eigen::Index>(p)) << xs.back(), ys.back();
    }
    data.obs.set("x", std::move(xs));
    data.obs.set("y", std::move(ys));
    data.obsm["spatial"] = std::move(spatial);
}

}  // namespace

bool is_metaspace_csv(const std::string& path) {
    TextTable table(path, ',');
    std::vector<std::string_view> fields;
    while (table.next(fields))
        if (!is_comment(fields)) return is_header(fields);
    return false;
}

AnnData read_metaspace_csv(const std::string& path, const ValuePolicy& values) {
    TextTable table(path, ',');
    std::vector<std::string_view> fields;
    std::optional<Layout> layout;
    Images images;
    while (table.next(fields)) {
        if (is_comment(fields)) continue;
        if (layout) {
            add_image(*layout, fields, path, table.line_number(), images);
            continue;
        }
        if (!is_header(fields)) break;
        layout = read_layout(path, table.line_number(), {fields.begin(), fields.end()});
        images.values.cols = static_cast<std::int32_t>(layout->pixels.size());
    }
    if (!layout || images.mz.empty())
        throw core::FormatError({path, "", "a header mol_formula,adduct,mz,... and annotations",
                                 layout ? "a header alone" : "no such header", ""});
    AnnData data;
    for (std::size_t f = 0; f < images.mz.size(); ++f)
        data.var.index.push_back(images.formula[f] + images.adduct[f]);
    data.var.index = make_unique(std::move(data.var.index));
    data.var.set("mz", std::move(images.mz));
    data.var.set("polarity", std::move(images.polarity));
    data.var.set("ion_formula", std::move(images.formula));
    data.var.set("adduct", std::move(images.adduct));
    data.var.set("molecule_names", std::move(images.molecules));
    data.x = transposed(images.values);
    set_pixels(data, layout->pixels);
    set_unit(data, kUnitRaster, std::nullopt);
    apply_value_policy(data, ValueKind::Intensities, values, path);
    drop_zero_rows(data);
    return data;
}

}  // namespace smeta::io
