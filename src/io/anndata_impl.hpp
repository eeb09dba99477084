#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "smeta/io/anndata.hpp"

namespace smeta::io::detail {

void set_encoding(H5Object& object, std::string_view type, std::string_view version);
/// The attribute encoding-type, or "" where a legacy writer left it out.
std::string encoding_of(const H5Object& object);

/// Layout of the design: dense chunks of 256 rows by all columns, at most 4 MiB; 1-D chunks of
/// 262,144 elements; smaller data are one chunk.
H5Storage dense_storage(std::int64_t rows, std::int64_t cols, std::int64_t element_bytes);
H5Storage sparse_storage(std::int64_t size);
/// Type of both indptr and indices of a CSR matrix: int32 while its entries fit, else int64. SciPy
/// works on matrices whose two types differ only after a copy
/// (docs/decisions/0011-one-index-type.md).
H5Type index_type(std::int64_t nnz);

/// Calls `write` with the numbers as a span of int32 or int64, as `type` says.
template <class T, class Write>
void with_index_type(H5Type type, std::span<const T> numbers, Write&& write) {
    const auto converted = [&]<class To>(To) {
        if constexpr (std::is_same_v<T, To>) {
            write(numbers);
        } else {
            const std::vector<To> copy(numbers.begin(), numbers.end());
            write(std::span<const To>(copy));
        }
    };
    if (type == H5Type::Int32)
        converted(std::int32_t{});
    else
        converted(std::int64_t{});
}

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
/// A matrix of `rows` rows, else FormatError before memory is taken.
core::MatrixD read_obsm(const H5Group& obsm, const std::string& name, std::int64_t rows);

}  // namespace smeta::io::detail
