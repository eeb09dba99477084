#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/io/annotated.hpp"
#include "smeta/io/image.hpp"
#include "smeta/io/tenx.hpp"

namespace smeta::io {

/// Where the positions of Visium HD bins come from.
enum class BinPositions {
    File,      ///< spatial/tissue_positions.csv; without any positions file the barcodes
    Barcodes,  ///< the grid in the barcodes s_008um_ROW_COL-1: micrometres, without the image's
               ///< offset and rotation
};

struct VisiumOptions {
    std::string sample = "sample";  ///< key in uns["spatial"]
    bool hires_image = false;       ///< keep the high-resolution image too
    int bin_um = 8;                 ///< Visium HD: which square_*um folder
    BinPositions bin_positions = BinPositions::File;
    TenxOptions matrix;
};

/// One line of a positions file (Space Ranger's six columns).
struct VisiumPosition {
    std::string barcode;
    bool in_tissue = true;
    std::int32_t array_row = 0;
    std::int32_t array_col = 0;
    double pixel_row = 0;  ///< full-resolution image
    double pixel_col = 0;
};

/// The numbers of scalefactors_json.json that every Visium tool needs.
struct VisiumScale {
    double hires = 0;  ///< hires pixels per full-resolution pixel
    double lowres = 0;
    double spot_diameter = 0;  ///< full-resolution pixels (55 um)
    double fiducial_diameter = 0;
};

/// tissue_positions.csv or tissue_positions_list.csv: a header is recognised by its content (first
/// cell "barcode"), not by the file's name. Throws FormatError naming the line; a .parquet file is
/// refused with a hint. Local.
std::vector<VisiumPosition> read_visium_positions(const std::string& path);

/// True for a Space Ranger `outs` folder (a folder with spatial/), a Visium HD one
/// (binned_outputs/) or one of its bin folders.
bool is_visium_folder(const std::string& folder);

/// Reads a Space Ranger `outs` folder of Visium version 1 or 2, or Visium HD
/// (binned_outputs/square_*um, or a bin folder itself): the filtered matrix
/// ([PREFIX_]filtered_feature_bc_matrix.h5, or the MTX folder of that name), in-tissue spots only
/// (others counted as "outside_tissue", barcodes without a position as "no_position"). obs
/// array_row, array_col, in_tissue; obsm["spatial"] = (x, y) = (pxl_col, pxl_row);
/// uns["spatial"][sample] = {images, scalefactors}; unit "pixel" with micrometres from
/// spot_diameter_fullres (55 um) or the HD scale factors. Throws IoError, FormatError. Local.
AnnData read_visium(const std::string& folder, const VisiumOptions& options = {});

/// Adds what lies in `spatial_folder` (positions, scale factors, images) to a matrix already read,
/// as read_visium does.
void attach_visium_spatial(AnnData& data, const std::string& spatial_folder,
                           const VisiumOptions& options);

/// What write_visium writes. `data`: X counts, obs index = barcodes, var index and gene_id.
struct VisiumSection {
    std::string sample = "sample";  ///< library id in the matrix
    const AnnData* data = nullptr;
    std::vector<VisiumPosition> positions;  ///< of all spots of the array, in tissue or not
    VisiumScale scale;
    Image lowres;
    Image hires;
};

/// Writes a folder as Space Ranger 2 does: filtered_feature_bc_matrix.h5 and spatial/ with
/// tissue_positions.csv, scalefactors_json.json and the two PNG images. The folder is created.
/// Throws IoError. Local.
void write_visium(const std::string& folder, const VisiumSection& section);

}  // namespace smeta::io
