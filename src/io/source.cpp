#include "smeta/io/source.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"
#include "smeta/io/h5.hpp"
#include "smeta/io/joint.hpp"
#include "smeta/io/sm_imzml.hpp"
#include "smeta/io/sm_metaspace.hpp"
#include "smeta/io/sm_table.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/io/st_table.hpp"
#include "smeta/io/tenx.hpp"
#include "smeta/io/visium.hpp"

namespace smeta::io {

namespace {

namespace fs = std::filesystem;

constexpr const char* kStKinds =
    "a Space Ranger 'outs' folder (Visium, Visium HD), a 10x .h5 or MTX folder with spatial/ "
    "beside "
    "it, .h5ad, .h5mu, or a spots-by-genes table (.tsv, .csv, .txt, each also .gz)";
constexpr const char* kOtherKinds =
    "a table with a column 'spot' (.csv, .tsv, .txt, each also .gz), .h5ad or .h5mu";
constexpr const char* kSmKinds =
    "an .imzML with its .ibd, a table (x, y and one column an m/z, or with a column 'spot', or "
    "METASPACE's pixel intensities; .csv, .tsv, .txt, each also .gz), .h5ad or .h5mu";

enum class Kind { Folder, Mtx, Tenx, H5ad, H5mu, Imzml, Table, Unknown };

bool ends_with_any(std::string name, std::initializer_list<std::string_view> endings) {
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return std::any_of(endings.begin(), endings.end(),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

/// Throws IoError with the nearest name in the deepest folder that exists.
void require_path(const std::string& path) {
    std::error_code code;
    if (fs::exists(path, code)) return;
    fs::path missing = path;
    while (missing.has_parent_path() && missing.parent_path() != missing &&
           !fs::exists(missing.parent_path(), code))
        missing = missing.parent_path();
    const fs::path folder = missing.has_parent_path() ? missing.parent_path() : fs::path(".");
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder, code))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    std::string message = fmt::format("cannot open {}: no such file or folder", path);
    if (const auto near = core::did_you_mean(missing.filename().string(), names))
        message += fmt::format("\n  hint:     did you mean {}?",
                               missing.has_parent_path() ? (folder / *near).string() : *near);
    throw core::IoError(message);
}

Kind kind_of_hdf5(const std::string& path) {
    const H5File file = H5File::open(path);
    const H5Group root = file.root();
    if (root.kind("mod") == H5Kind::Group) return Kind::H5mu;
    if (root.kind("obs") != H5Kind::Missing && root.kind("var") != H5Kind::Missing)
        return Kind::H5ad;
    if (root.kind("matrix") == H5Kind::Group) return Kind::Tenx;
    for (const std::string& name : root.links())
        if (root.kind(name) == H5Kind::Group && root.group(name).has("gene_names"))
            return Kind::Tenx;
    return Kind::Unknown;
}

Kind kind_of(const std::string& path) {
    require_path(path);
    if (fs::is_directory(path)) {
        if (is_visium_folder(path)) return Kind::Folder;
        return is_tenx_mtx(path) ? Kind::Mtx : Kind::Unknown;
    }
    if (is_hdf5(path)) return kind_of_hdf5(path);
    if (ends_with_any(path, {".h5", ".h5ad", ".h5mu", ".hdf5"}))
        throw core::FormatError(
            {path, "", "an HDF5 file", "no HDF5 signature", "is the file whole?"});
    if (ends_with_any(path, {".imzml"})) return Kind::Imzml;
    if (ends_with_any(path, {".tsv", ".csv", ".txt", ".tsv.gz", ".csv.gz", ".txt.gz"}))
        return Kind::Table;
    return Kind::Unknown;
}

[[noreturn]] void refuse(const std::string& path, const char* expected) {
    std::string found = "another kind of file";
    if (fs::is_directory(path)) {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(path))
            names.push_back(entry.path().filename().string());
        std::sort(names.begin(), names.end());
        if (names.size() > 8) {
            names.resize(8);
            names.emplace_back("...");
        }
        found = names.empty() ? "an empty folder"
                              : fmt::format("a folder with {}", fmt::join(names, ", "));
    } else if (fs::file_size(path) == 0) {
        found = "an empty file";
    }
    throw core::FormatError({path, "", expected, found, ""});
}

/// The modality of one of the names, or the only one.
AnnData pick_modality(MuData data, const std::vector<std::string>& names, const std::string& path) {
    std::vector<std::string> found;
    for (auto& [name, modality] : data.modalities) {
        if (data.modalities.size() == 1 ||
            std::find(names.begin(), names.end(), name) != names.end())
            return std::move(modality);
        found.push_back(name);
    }
    throw core::FormatError({path, "mod",
                             fmt::format("one modality, or one named {}", fmt::join(names, ", ")),
                             fmt::format("{}", fmt::join(found, ", ")), ""});
}

/// Scanpy keeps Visium coordinates in full-resolution pixels beside the diameter of a spot of 55
/// um.
void set_unit_from_scanpy(AnnData& data) {
    const auto entry = data.uns.find("spatial");
    if (!unit(data).empty() || !data.obsm.contains("spatial") || entry == data.uns.end()) return;
    const auto* sections = std::get_if<UnsDict>(&entry->second.value);
    if (sections == nullptr || sections->size() != 1) return;
    const auto inside = [](const UnsDict* dict, const char* name) -> const UnsValue* {
        if (dict == nullptr || !dict->contains(name)) return nullptr;
        return &dict->at(name);
    };
    const auto* section = std::get_if<UnsDict>(&sections->begin()->second.value);
    const UnsValue* scale = inside(section, "scalefactors");
    const UnsValue* spot = inside(scale == nullptr ? nullptr : std::get_if<UnsDict>(&scale->value),
                                  "spot_diameter_fullres");
    const double* diameter = spot == nullptr ? nullptr : std::get_if<double>(&spot->value);
    if (diameter != nullptr && *diameter > 0) set_unit(data, kUnitPixel, 55.0 / *diameter);
}

/// A modality from an AnnData: the part of that type of a joint one, raw counts where they are a
/// layer.
AnnData from_anndata(AnnData data, ValueKind kind, const SourceOptions& options,
                     const std::string& path) {
    const bool counts = kind == ValueKind::Counts;
    if (is_joint(data)) {
        JointModalities parts = split_joint(data, options.values, path);
        std::optional<AnnData>& part = counts ? parts.st : parts.sm;
        if (!part) throw core::FormatError({path, "var['type']", counts ? "ST" : "SM", "none", ""});
        return std::move(*part);
    }
    if (const auto layer = data.layers.find("counts"); layer != data.layers.end())
        data.x = std::move(layer->second);
    data.layers.clear();
    data.obsp.clear();
    if (!data.x)
        throw core::FormatError({path, "X", counts ? "counts" : "intensities", "no X", ""});
    check_unique(data.obs.index, "spot", path);
    check_unique(data.var.index, "feature", path);
    apply_value_policy(data, kind, options.values, path);
    set_unit_from_scanpy(data);
    if (counts) {
        if (data.var.find("gene_id") == nullptr)
            if (const ColumnValues* ids = data.var.find("gene_ids")) data.var.set("gene_id", *ids);
    } else {
        add_mz_columns(data.var, "");
        // METASPACE exports the whole rectangle: pixels off the sample are rows of zeros.
        if (data.uns.contains("metaspace")) drop_zero_rows(data);
    }
    return data;
}

VisiumOptions visium_options(const SourceOptions& options) {
    VisiumOptions visium;
    visium.sample = options.sample;
    visium.hires_image = options.hires_image;
    visium.bin_um = static_cast<int>(options.hd_bin_um);
    visium.bin_positions =
        options.hd_barcode_positions ? BinPositions::Barcodes : BinPositions::File;
    visium.matrix.values = options.values;
    return visium;
}

/// Positions of a bare matrix from the spatial/ folder beside it.
void attach_spatial_beside(AnnData& data, const std::string& path, const SourceOptions& options) {
    const fs::path absolute = fs::absolute(path).lexically_normal();
    const fs::path folder =
        (absolute.has_filename() ? absolute : absolute.parent_path()).parent_path();
    const fs::path spatial = folder / "spatial";
    if (fs::is_directory(spatial))
        attach_visium_spatial(data, spatial.string(), visium_options(options));
    else
        core::log_warning("{}: no folder 'spatial' beside it: spots have no positions", path);
}

}  // namespace

void add_source_keys(core::ConfigTable& table, SourceOptions& options) {
    add_value_policy_keys(table, options.values);
    table.add(
        "ingest.mz_ppm", options.mz_ppm,
        "imzML: half width in ppm of the interval around one m/z; overlapping ones are one bin",
        {1e-3, 1e5});
    table.add("ingest.max_bin_ppm", options.max_bin_ppm,
              "widest m/z bin in ppm, of an imzML and of all samples together; unset: bins grow as "
              "far as intervals overlap",
              {2e-3, 1e6});
    table.add("ingest.verify_checksum", options.verify_checksum,
              "imzML: compare the .ibd with the SHA-1 in the .imzML");
    table.add("ingest.hd_bin_um", options.hd_bin_um, "Visium HD: size of the bins to read",
              {1, 999});
    table.add(
        "ingest.hd_barcode_positions", options.hd_barcode_positions,
        "Visium HD: positions in micrometres from the barcodes instead of the positions file");
    table.add("ingest.hires_image", options.hires_image,
              "Visium: keep the high-resolution image beside the low-resolution one");
}

AnnData read_st_source(const std::string& path, const SourceOptions& options) {
    const VisiumOptions visium = visium_options(options);
    switch (kind_of(path)) {
        case Kind::Folder:
            return read_visium(path, visium);
        case Kind::Mtx: {
            AnnData data = read_tenx_mtx(path, visium.matrix);
            attach_spatial_beside(data, path, options);
            return data;
        }
        case Kind::Tenx: {
            AnnData data = read_tenx_h5(path, visium.matrix);
            attach_spatial_beside(data, path, options);
            return data;
        }
        case Kind::H5ad:
            return from_anndata(read_h5ad(path), ValueKind::Counts, options, path);
        case Kind::H5mu:
            return from_anndata(pick_modality(read_h5mu(path), {"st", "ST", "rna"}, path),
                                ValueKind::Counts, options, path);
        case Kind::Table: {
            StTableOptions table;
            table.values = options.values;
            return read_st_table(path, table);
        }
        case Kind::Imzml:
        case Kind::Unknown:
            break;
    }
    refuse(path, kStKinds);
}

AnnData read_sm_source(const std::vector<std::string>& paths, const SourceOptions& options) {
    if (paths.empty()) throw core::ConfigError("no file of spatial metabolomics given");
    std::vector<Kind> kinds;
    for (const std::string& path : paths) kinds.push_back(kind_of(path));
    const std::string& path = paths.front();
    if (paths.size() > 1 &&
        std::any_of(kinds.begin(), kinds.end(), [](Kind kind) { return kind != Kind::Imzml; }))
        throw core::ConfigError(
            fmt::format("{} and {}: only a positive and a negative .imzML can be given together",
                        path, paths[1]));
    switch (kinds.front()) {
        case Kind::Imzml:
            return read_sm_imzml(paths, {options.mz_ppm, options.max_bin_ppm,
                                         options.verify_checksum, options.values});
        case Kind::Table:
            if (is_metaspace_csv(path)) return read_metaspace_csv(path, options.values);
            return read_sm_table(
                path, {.columns = options.sm_columns, .polarity = {}, .values = options.values});
        case Kind::H5ad:
            return from_anndata(read_h5ad(path), ValueKind::Intensities, options, path);
        case Kind::H5mu:
            return from_anndata(pick_modality(read_h5mu(path), {"sm", "SM", "msi"}, path),
                                ValueKind::Intensities, options, path);
        case Kind::Folder:
        case Kind::Mtx:
        case Kind::Tenx:
        case Kind::Unknown:
            break;
    }
    refuse(path, kSmKinds);
}

AnnData read_other_source(const std::string& name, const std::string& path,
                          const SourceOptions& options) {
    const auto values_of = [&](AnnData data) {
        if (const auto layer = data.layers.find("counts"); layer != data.layers.end())
            data.x = std::move(layer->second);
        data.layers.clear();
        data.obsp.clear();
        if (!data.x) throw core::FormatError({path, "X", "values of modality " + name, "no X", ""});
        check_unique(data.obs.index, "spot", path);
        check_unique(data.var.index, "feature", path);
        apply_value_policy(data, ValueKind::Intensities, options.values, path);
        set_unit_from_scanpy(data);
        return data;
    };
    switch (kind_of(path)) {
        case Kind::Table:
            return read_sm_table(path, {.columns = {},
                                        .polarity = {},
                                        .values = options.values,
                                        .features = FeatureKind::Other});
        case Kind::H5ad:
            return values_of(read_h5ad(path));
        case Kind::H5mu:
            return values_of(pick_modality(read_h5mu(path), {name}, path));
        case Kind::Folder:
        case Kind::Mtx:
        case Kind::Tenx:
        case Kind::Imzml:
        case Kind::Unknown:
            break;
    }
    refuse(path, kOtherKinds);
}

}  // namespace smeta::io
