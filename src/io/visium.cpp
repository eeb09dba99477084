#include "smeta/io/visium.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::io {

namespace {

namespace fs = std::filesystem;

constexpr double kVisiumSpotMicrons = 55.0;

[[noreturn]] void refuse_parquet(const std::string& path) {
    throw core::FormatError(
        {path, "", "positions as CSV", "a Parquet file",
         "convert it once: python scripts/visium_hd_positions.py OUTS (it needs pyarrow), or take "
         "the grid in the barcodes of Visium HD: ingest.hd_barcode_positions = true"});
}

/// The positions file in a spatial folder; empty if there is none.
std::string find_positions(const std::string& spatial) {
    for (const char* name :
         {"tissue_positions.csv", "tissue_positions_list.csv", "tissue_positions.csv.gz",
          "tissue_positions_list.csv.gz", "tissue_positions_list.txt", "tissue_positions.parquet"})
        if (const fs::path path = fs::path(spatial) / name; fs::exists(path)) return path.string();
    return {};
}

bool has_matrix(const fs::path& folder) {
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(folder, code))
        if (entry.path().filename().string().ends_with("filtered_feature_bc_matrix.h5"))
            return true;
    return is_tenx_mtx((folder / "filtered_feature_bc_matrix").string());
}

std::string list_names(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(folder, code))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "));
}

AnnData read_filtered_matrix(const fs::path& folder, const TenxOptions& options) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().filename().string().ends_with("filtered_feature_bc_matrix.h5"))
            found.push_back(entry.path().string());
    std::sort(found.begin(), found.end());
    if (found.size() > 1)
        throw core::FormatError({folder.string(), "", "one *filtered_feature_bc_matrix.h5",
                                 fmt::format("{}", fmt::join(found, ", ")), ""});
    if (found.size() == 1) return read_tenx_h5(found.front(), options);
    const fs::path mtx = folder / "filtered_feature_bc_matrix";
    if (is_tenx_mtx(mtx.string())) return read_tenx_mtx(mtx.string(), options);
    throw core::FormatError({folder.string(), "", "[PREFIX_]filtered_feature_bc_matrix.h5",
                             list_names(folder), "give the folder that Space Ranger calls outs"});
}

/// The numbers of scalefactors_json.json; empty if there is no such file.
std::map<std::string, double> read_scalefactors(const std::string& spatial) {
    const std::string path = (fs::path(spatial) / "scalefactors_json.json").string();
    std::map<std::string, double> factors;
    if (!fs::exists(path)) return factors;
    std::ifstream file(path);
    const nlohmann::json json = nlohmann::json::parse(file, nullptr, false);
    if (!json.is_object())
        throw core::FormatError({path, "", "a JSON object of scale factors", "other text", ""});
    // A name becomes a link in HDF5 files, which has no '/' and no zero byte.
    const auto is_link = [](const std::string& name) {
        return !name.empty() && name != "." && name.find('/') == std::string::npos &&
               name.find('\0') == std::string::npos;
    };
    for (const auto& [name, value] : json.items())
        if (value.is_number() && is_link(name)) factors[name] = value.get<double>();
    return factors;
}

std::optional<double> microns_per_pixel(const std::map<std::string, double>& factors) {
    if (const auto it = factors.find("microns_per_pixel"); it != factors.end() && it->second > 0)
        return it->second;
    const auto spot = factors.find("spot_diameter_fullres");
    if (spot == factors.end() || !(spot->second > 0)) return std::nullopt;
    const auto bin = factors.find("bin_size_um");
    return (bin != factors.end() ? bin->second : kVisiumSpotMicrons) / spot->second;
}

/// Row and column of a Visium HD barcode s_008um_00078_00444-1.
std::optional<VisiumPosition> parse_bin_barcode(const std::string& barcode, double& bin_um) {
    if (!barcode.starts_with("s_")) return std::nullopt;
    const std::string body = barcode.substr(2, barcode.find('-') - 2);
    const std::size_t first = body.find('_');
    const std::size_t second = body.find('_', first + 1);
    if (first == std::string::npos || second == std::string::npos ||
        !std::string_view(body).substr(0, first).ends_with("um"))
        return std::nullopt;
    const auto size = parse_integer(std::string_view(body).substr(0, first - 2));
    const auto row = parse_integer(std::string_view(body).substr(first + 1, second - first - 1));
    const auto column = parse_integer(std::string_view(body).substr(second + 1));
    if (!size || *size <= 0 || !row || !column) return std::nullopt;
    bin_um = static_cast<double>(*size);
    return VisiumPosition{
        barcode, true, static_cast<std::int32_t>(*row), static_cast<std::int32_t>(*column), 0, 0};
}

void set_positions(AnnData& data, const std::vector<VisiumPosition>& positions) {
    std::vector<std::int32_t> rows;
    std::vector<std::int32_t> columns;
    core::MatrixD spatial(positions.size(), 2);
    for (std::size_t i = 0; i < positions.size(); ++i) {
        rows.push_back(positions[i].array_row);
        columns.push_back(positions[i].array_col);
        spatial.row(static_cast<Eigen::Index>(i)) << positions[i].pixel_col, positions[i].pixel_row;
    }
    data.obs.set("in_tissue", std::vector<std::int32_t>(positions.size(), 1));
    data.obs.set("array_row", std::move(rows));
    data.obs.set("array_col", std::move(columns));
    data.obsm["spatial"] = std::move(spatial);
}

void positions_from_barcodes(AnnData& data, const std::string& spatial) {
    std::vector<VisiumPosition> positions;
    double bin_um = 0;
    for (const std::string& barcode : data.obs.index) {
        auto position = parse_bin_barcode(barcode, bin_um);
        if (!position)
            throw core::FormatError(
                {spatial, "", "tissue_positions.csv or tissue_positions_list.csv",
                 fmt::format("none, and barcode '{}' holds no position", barcode), ""});
        position->pixel_row = (position->array_row + 0.5) * bin_um;
        position->pixel_col = (position->array_col + 0.5) * bin_um;
        positions.push_back(std::move(*position));
    }
    set_positions(data, positions);
    set_unit(data, kUnitMicron, 1.0);
}

void positions_from_file(AnnData& data, const std::string& path) {
    const std::vector<VisiumPosition> all = read_visium_positions(path);
    std::unordered_map<std::string_view, std::size_t> row_of;
    for (std::size_t i = 0; i < all.size(); ++i) row_of.emplace(all[i].barcode, i);
    std::vector<std::int64_t> kept;
    std::vector<VisiumPosition> positions;
    std::int64_t outside = 0;
    std::int64_t unknown = 0;
    for (std::size_t s = 0; s < data.obs.index.size(); ++s) {
        const auto it = row_of.find(data.obs.index[s]);
        if (it == row_of.end()) {
            ++unknown;
        } else if (!all[it->second].in_tissue) {
            ++outside;
        } else {
            kept.push_back(static_cast<std::int64_t>(s));
            positions.push_back(all[it->second]);
        }
    }
    if (kept.empty())
        throw core::FormatError(
            {path, "", "in-tissue positions of the matrix's barcodes",
             fmt::format("none ({} barcodes outside the tissue, {} unknown)", outside, unknown),
             "do matrix and positions belong to the same section?"});
    if (unknown > 0)
        core::log_warning("{}: {} barcodes of the matrix have no position and are left out", path,
                          unknown);
    select_observations(data, kept);
    set_positions(data, positions);
    note_dropped(data, "outside_tissue", outside);
    note_dropped(data, "no_position", unknown);
}

}  // namespace

std::vector<VisiumPosition> read_visium_positions(const std::string& path) {
    if (fs::path(path).extension() == ".parquet") refuse_parquet(path);
    TextTable table(path, ',');
    std::vector<std::string_view> fields;
    std::vector<VisiumPosition> positions;
    std::vector<std::string> barcodes;
    while (table.next(fields)) {
        const auto line = table.line_number();
        if (fields.size() != 6)
            throw core::FormatError({path, fmt::format("line {}", line),
                                     "barcode,in_tissue,array_row,array_col,pxl_row,pxl_col",
                                     fmt::format("{} fields", fields.size()), ""});
        if (fields[0] == "barcode") continue;
        const auto number = [&](std::size_t column, const char* name) {
            const double value = require_number(fields[column], path, line, name);
            if (!std::isfinite(value) || std::fabs(value) > 1e9)
                throw core::FormatError({path, fmt::format("line {}, column '{}'", line, name),
                                         "a finite number", std::string(fields[column]), ""});
            return value;
        };
        positions.push_back({std::string(fields[0]), number(1, "in_tissue") != 0,
                             static_cast<std::int32_t>(number(2, "array_row")),
                             static_cast<std::int32_t>(number(3, "array_col")),
                             number(4, "pxl_row_in_fullres"), number(5, "pxl_col_in_fullres")});
        barcodes.push_back(positions.back().barcode);
    }
    check_unique(barcodes, "barcode", path);
    return positions;
}

bool is_visium_folder(const std::string& folder) {
    const fs::path path(folder);
    return fs::is_directory(path / "binned_outputs") || fs::is_directory(path / "spatial") ||
           (fs::is_directory(path) && has_matrix(path));
}

void attach_visium_spatial(AnnData& data, const std::string& spatial_folder,
                           const VisiumOptions& options) {
    const std::map<std::string, double> factors = read_scalefactors(spatial_folder);
    const std::string positions = find_positions(spatial_folder);
    if (options.bin_positions == BinPositions::Barcodes || positions.empty()) {
        positions_from_barcodes(data, spatial_folder);
    } else {
        positions_from_file(data, positions);
        set_unit(data, kUnitPixel, microns_per_pixel(factors));
    }
    UnsDict images;
    for (const char* name : {"lowres", "hires"}) {
        const fs::path path = fs::path(spatial_folder) / fmt::format("tissue_{}_image.png", name);
        if ((name[0] == 'l' || options.hires_image) && fs::exists(path))
            images[name].value = to_array(read_png(path.string()));
    }
    UnsDict scale;
    for (const auto& [name, value] : factors) scale[name].value = value;
    UnsDict section;
    section["images"].value = std::move(images);
    section["scalefactors"].value = std::move(scale);
    UnsDict spatial;
    spatial[options.sample].value = std::move(section);
    data.uns["spatial"].value = std::move(spatial);
}

AnnData read_visium(const std::string& folder, const VisiumOptions& options) {
    fs::path outs(folder);
    if (fs::is_directory(outs / "binned_outputs")) {
        const fs::path bins = outs / "binned_outputs";
        outs = bins / fmt::format("square_{:03d}um", options.bin_um);
        if (!fs::is_directory(outs))
            throw core::FormatError({bins.string(), "",
                                     fmt::format("a folder for bins of {} um", options.bin_um),
                                     list_names(bins), "set ingest.hd_bin_um"});
    }
    const fs::path spatial = outs / "spatial";
    if (!fs::is_directory(spatial))
        throw core::FormatError({outs.string(), "", "a folder 'spatial'", list_names(outs),
                                 "give the 'outs' folder of Space Ranger"});
    AnnData data = read_filtered_matrix(outs, options.matrix);
    attach_visium_spatial(data, spatial.string(), options);
    return data;
}

void write_visium(const std::string& folder, const VisiumSection& section) {
    core::check(section.data != nullptr, "a section to write");
    const fs::path outs(folder);
    const fs::path spatial = outs / "spatial";
    std::error_code code;
    fs::create_directories(spatial, code);
    if (code) throw core::IoError::from_errno("create", spatial.string(), code.value());
    write_tenx_h5((outs / "filtered_feature_bc_matrix.h5").string(), *section.data, section.sample);
    const auto write_text = [&](const char* name, const std::string& text) {
        const std::string path = (spatial / name).string();
        errno = 0;
        std::ofstream file(path, std::ios::binary);
        file << text;
        file.close();
        if (!file) throw core::IoError::from_errno("write", path, errno);
    };
    std::string positions =
        "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n";
    for (const VisiumPosition& p : section.positions)
        positions += fmt::format("{},{},{},{},{},{}\n", p.barcode, p.in_tissue ? 1 : 0, p.array_row,
                                 p.array_col, p.pixel_row, p.pixel_col);
    write_text("tissue_positions.csv", positions);
    const nlohmann::ordered_json scale = {
        {"tissue_hires_scalef", section.scale.hires},
        {"tissue_lowres_scalef", section.scale.lowres},
        {"fiducial_diameter_fullres", section.scale.fiducial_diameter},
        {"spot_diameter_fullres", section.scale.spot_diameter}};
    write_text("scalefactors_json.json", scale.dump() + "\n");
    write_png((spatial / "tissue_lowres_image.png").string(), section.lowres);
    write_png((spatial / "tissue_hires_image.png").string(), section.hires);
}

}  // namespace smeta::io
