#pragma once

#include <optional>
#include <string>
#include <vector>

#include "smeta/core/config.hpp"
#include "smeta/io/annotated.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::io {

/// How raw data are read (configuration `ingest.*`).
struct SourceOptions {
    double mz_ppm = 5;
    std::optional<double> max_bin_ppm;
    std::int64_t hd_bin_um = 8;
    bool hd_barcode_positions = false;
    bool hires_image = false;
    bool verify_checksum = true;
    ValuePolicy values;
    std::string sm_columns;         ///< of one sample, not a key: regular expression of the feature
                                    ///< columns of a table
    std::string sample = "sample";  ///< of one sample, not a key: key in uns["spatial"]
};

/// Registers ingest.fractional_counts, nan, imzml_uuid, mz_ppm, max_bin_ppm, hd_bin_um,
/// hd_barcode_positions, hires_image and verify_checksum.
void add_source_keys(core::ConfigTable& table, SourceOptions& options);

/// Reads spatial transcriptomics from whatever `path` is: Space Ranger folder (Visium, Visium HD),
/// 10x .h5 or MTX folder (positions from a spatial/ folder beside it), .h5ad, .h5mu (modality st,
/// ST, rna or the only one), spots-by-genes table. The kind is decided by content. FormatError
/// listing what is accepted when nothing fits; IoError with the nearest existing name when the path
/// does not exist. Local.
AnnData read_st_source(const std::string& path, const SourceOptions& options);

/// Reads spatial metabolomics: one imzML or a positive and a negative one, a table (`x,y,<m/z>...`
/// or with a `spot` column), .h5ad, .h5mu (modality sm, SM, msi or the only one). Errors as above.
AnnData read_sm_source(const std::vector<std::string>& paths, const SourceOptions& options);

/// Reads any other modality of spots (proteins, image features): a table with a column `spot` or
/// columns `x` and `y`, .h5ad (X, or layers["counts"]), .h5mu (modality `name` or the only one).
/// Any finite values; ingest.nan says what else. Errors as above.
AnnData read_other_source(const std::string& name, const std::string& path,
                          const SourceOptions& options);

}  // namespace smeta::io
