#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <Eigen/Core>

namespace smeta::core {

/// Row-major dense matrices; a row is a spot wherever rows are spots.
template <class R>
using Matrix = Eigen::Matrix<R, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixF = Matrix<float>;
using MatrixD = Matrix<double>;

/// Read-only view of a compressed sparse row matrix. Within a row column indices ascend and are
/// unique. `indptr` has rows + 1 entries and may start above 0 (a view of some rows of a larger
/// matrix): the entries of row r are indices[indptr[r] - indptr[0] ...], likewise values.
struct CsrView {
    std::int64_t rows = 0;
    std::int32_t cols = 0;
    std::span<const std::int64_t> indptr;
    std::span<const std::int32_t> indices;
    std::span<const float> values;

    std::int64_t nnz() const { return rows == 0 ? 0 : indptr[rows] - indptr[0]; }
    std::span<const std::int32_t> row_indices(std::int64_t r) const {
        return indices.subspan(indptr[r] - indptr[0], indptr[r + 1] - indptr[r]);
    }
    std::span<const float> row_values(std::int64_t r) const {
        return values.subspan(indptr[r] - indptr[0], indptr[r + 1] - indptr[r]);
    }
};

/// An owning compressed sparse row matrix (spots by features): counts or intensities, float32
/// values.
struct CountsCsr {
    std::int64_t rows = 0;
    std::int32_t cols = 0;
    std::vector<std::int64_t> indptr{0};
    std::vector<std::int32_t> indices;
    std::vector<float> values;

    std::int64_t nnz() const { return static_cast<std::int64_t>(indices.size()); }
    CsrView view() const { return {rows, cols, indptr, indices, values}; }
    operator CsrView() const { return view(); }  // NOLINT: a view parameter takes an owner

    /// Appends one row; `row_indices` must ascend. Local.
    void append_row(std::span<const std::int32_t> row_indices, std::span<const float> row_values);
    bool operator==(const CountsCsr&) const = default;
};

/// Throws InvariantError unless lengths agree, indptr is monotone, and indices ascend strictly and
/// lie in range.
void check_csr(const CsrView& matrix);

/// Rows [first, last) without a copy.
CsrView row_range(const CsrView& matrix, std::int64_t first, std::int64_t last);
/// The given rows in the given order (repeats allowed).
CountsCsr select_rows(const CsrView& matrix, std::span<const std::int64_t> rows);
/// Columns renumbered: column c becomes new_column[c], or is dropped where that is -1. New
/// positions must be unique.
CountsCsr select_columns(const CsrView& matrix, std::span<const std::int32_t> new_column,
                         std::int32_t new_cols);
/// Columns of the result are rows of the input.
CountsCsr transpose(const CsrView& matrix);
/// Zeros are not stored.
CountsCsr from_dense(const Eigen::Ref<const MatrixF>& dense);
MatrixF to_dense(const CsrView& matrix);
/// Sum of each row in double, in storage order.
std::vector<double> row_sums(const CsrView& matrix);

}  // namespace smeta::core
