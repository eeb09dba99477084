#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "smeta/core/matrix.hpp"

namespace smeta::io {

/// Categorical column: codes index `categories`, -1 = missing.
struct Categorical {
    std::vector<std::int32_t> codes;
    std::vector<std::string> categories;
    bool ordered = false;
    bool operator==(const Categorical&) const = default;
};

/// Values of one column of obs or var. Nullable integers and booleans are read as double with NaN /
/// as Categorical.
using ColumnValues =
    std::variant<std::vector<double>, std::vector<float>, std::vector<std::int64_t>,
                 std::vector<std::int32_t>, std::vector<std::uint8_t> /* bool */,
                 std::vector<std::string>, Categorical>;

/// The obs or var table of an AnnData: an index (unique names) and named columns of equal length.
struct Frame {
    std::vector<std::string> index;
    std::vector<std::pair<std::string, ColumnValues>> columns;  ///< in column-order

    std::int64_t rows() const { return static_cast<std::int64_t>(index.size()); }
    const ColumnValues* find(std::string_view name) const;
    /// Adds or replaces.
    void set(std::string name, ColumnValues values);
    /// The column as text (categories resolved, numbers formatted); throws FormatError naming
    /// `file` if absent.
    std::vector<std::string> as_text(std::string_view name, const std::string& file) const;
    /// The column as double; throws FormatError naming `file` if absent or text.
    std::vector<double> as_number(std::string_view name, const std::string& file) const;
    Frame select(const std::vector<std::int64_t>& rows) const;
    bool operator==(const Frame&) const = default;
};

/// X or a layer: dense row-major float32, or CSR float32.
using MatrixValues = std::variant<core::MatrixF, core::CountsCsr>;
std::int64_t rows(const MatrixValues& values);
std::int32_t cols(const MatrixValues& values);
core::CountsCsr to_csr(const MatrixValues& values);
core::MatrixF to_dense(const MatrixValues& values);

/// n-dimensional array of uns (images are uint8 H x W x 3), C order.
template <class T>
struct NdArray {
    std::vector<std::int64_t> shape;
    std::vector<T> values;
    bool operator==(const NdArray&) const = default;
};

/// A value in uns: scalar, array, list of strings or nested dict.
struct UnsValue;
using UnsDict = std::map<std::string, UnsValue>;
struct UnsValue {
    std::variant<std::string, double, std::int64_t, bool, NdArray<double>, NdArray<float>,
                 NdArray<std::uint8_t>, NdArray<std::int64_t>, std::vector<std::string>, UnsDict>
        value;
    bool operator==(const UnsValue&) const = default;
};

/// One annotated matrix in memory, as in Python's anndata: n observations (spots, pixels) by m
/// variables (genes, m/z).
struct AnnData {
    Frame obs;
    Frame var;
    std::optional<MatrixValues> x;               ///< absent: the file has no X element
    std::map<std::string, MatrixValues> layers;  ///< n by m each
    std::map<std::string, core::MatrixD>
        obsm;  ///< n rows each; stored float64 unless listed in float_obsm
    std::vector<std::string> float_obsm;          ///< names in obsm that are stored as float32
    std::map<std::string, core::CountsCsr> obsp;  ///< n by n each
    UnsDict uns;
};

/// Several modalities with one table of observations (Python's mudata). Modality order is kept
/// (mod-order).
struct MuData {
    std::vector<std::pair<std::string, AnnData>> modalities;
    Frame obs;  ///< union of the modalities' observations, in order of first appearance
    UnsDict uns;
    const AnnData* find(std::string_view name) const;
};

}  // namespace smeta::io
