#pragma once

#include <string>

#include "smeta/io/annotated.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::io {

struct TenxOptions {
    std::string feature_type =
        "Gene Expression";  ///< features of other types are left out; empty: all are kept
    ValuePolicy values;
};

/// Spots (barcodes) by genes of a 10x HDF5 matrix: version 3 (/matrix) or version 2 (one group a
/// genome; one genome only). X CSR float32; obs index = barcodes; var index = symbols made unique,
/// gene_id without version. Lengths, indptr and indices are checked. Throws IoError, FormatError.
/// Local.
AnnData read_tenx_h5(const std::string& path, const TenxOptions& options = {});

/// The same from a folder with matrix.mtx, barcodes.tsv and features.tsv (or genes.tsv), each plain
/// or .gz.
AnnData read_tenx_mtx(const std::string& folder, const TenxOptions& options = {});

/// True for a folder with a matrix.mtx or matrix.mtx.gz.
bool is_tenx_mtx(const std::string& folder);

/// Writes a version 3 matrix (data int32: X must hold whole numbers below 2^31, else
/// InvariantError); gene_id where var has it, else the names; `library` is what Python's readers
/// call the section. Throws IoError. Local.
void write_tenx_h5(const std::string& path, const AnnData& data,
                   const std::string& library = "sample");

}  // namespace smeta::io
