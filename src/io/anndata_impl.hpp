#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "smeta/io/anndata.hpp"

namespace smeta::io::detail {

void set_encoding(H5Object& object, std::string_view type, std::string_view version);
/// The attribute encoding-type, or "" where a legacy writer left it out.
std::string encoding_of(const H5Object& object);

/// Layout of the design: dense chunks of 256 rows by all columns, at most 4 MiB; 1-D chunks of
/// 262,144 elements; smaller data are one chunk.
H5Storage dense_storage(std::int64_t rows, std::int64_t cols, std::int64_t element_bytes);
/// Type of indptr: that of the 32-bit indices wherever `stored` values allow it. scipy refuses some
/// operations (tocoo, so scanpy's leiden) on a matrix whose two index arrays differ in width.
inline H5Type pointer_type(std::int64_t stored) {
    return stored <= std::numeric_limits<std::int32_t>::max() ? H5Type::Int32 : H5Type::Int64;
}
H5Storage sparse_storage(std::int64_t size);

/// A matrix element of any encoding: dense, CSR, CSC (turned to CSR).
MatrixValues read_matrix(const H5Group& parent, std::string_view name);
/// Shape of a sparse group or a dense dataset without reading it.
struct Shape {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
};
Shape matrix_shape(const H5Group& parent, std::string_view name);
/// "csr" or "csc" of a sparse group, also of one written before encodings had names.
std::string sparse_format(const H5Group& group);
/// False where X is missing or null (anndata writes a null X for none).
bool has_values(const H5Group& parent, std::string_view name);
/// indptr of a CSR group after the checks of its lengths.
std::vector<std::int64_t> read_indptr(const H5Group& group, std::int64_t major);
/// Checks range, sorts each row by column, merges nothing: a repeated column is an error.
void order_rows(core::CountsCsr& matrix, const H5Group& group);
std::vector<float> read_float(const H5Dataset& dataset);
core::MatrixD read_obsm(const H5Group& obsm, const std::string& name);

}  // namespace smeta::io::detail
