#include "smeta/core/matrix.hpp"

#include <algorithm>
#include <limits>

#include "smeta/core/error.hpp"

namespace smeta::core {

void CountsCsr::append_row(std::span<const std::int32_t> row_indices,
                           std::span<const float> row_values) {
    check(row_indices.size() == row_values.size(), "a row has as many indices as values");
    indices.insert(indices.end(), row_indices.begin(), row_indices.end());
    values.insert(values.end(), row_values.begin(), row_values.end());
    indptr.push_back(static_cast<std::int64_t>(indices.size()));
    ++rows;
}

void check_csr(const CsrView& matrix) {
    check(static_cast<std::int64_t>(matrix.indptr.size()) == matrix.rows + 1,
          "indptr has rows + 1 entries");
    const std::int64_t base = matrix.indptr[0];
    for (std::int64_t r = 0; r < matrix.rows; ++r)
        check(matrix.indptr[r] <= matrix.indptr[r + 1], "indptr is monotone");
    const auto nnz = static_cast<std::size_t>(matrix.indptr[matrix.rows] - base);
    check(matrix.indices.size() == nnz && matrix.values.size() == nnz,
          "indices and values have indptr[rows] - indptr[0] entries");
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
        std::int32_t previous = -1;
        for (const std::int32_t c : matrix.row_indices(r)) {
            check(c > previous && c < matrix.cols, "column indices ascend and lie in range");
            previous = c;
        }
    }
}

CsrView row_range(const CsrView& matrix, std::int64_t first, std::int64_t last) {
    check(0 <= first && first <= last && last <= matrix.rows, "row range inside the matrix");
    const std::int64_t base = matrix.indptr[0];
    const std::int64_t begin = matrix.indptr[first] - base;
    const std::int64_t count = matrix.indptr[last] - matrix.indptr[first];
    return {last - first, matrix.cols, matrix.indptr.subspan(first, last - first + 1),
            matrix.indices.subspan(begin, count), matrix.values.subspan(begin, count)};
}

CountsCsr select_rows(const CsrView& matrix, std::span<const std::int64_t> rows) {
    CountsCsr result;
    result.cols = matrix.cols;
    std::int64_t nnz = 0;
    for (const std::int64_t r : rows) {
        check(r >= 0 && r < matrix.rows, "selected row inside the matrix");
        nnz += matrix.indptr[r + 1] - matrix.indptr[r];
    }
    result.indptr.reserve(rows.size() + 1);
    result.indices.reserve(nnz);
    result.values.reserve(nnz);
    for (const std::int64_t r : rows)
        result.append_row(matrix.row_indices(r), matrix.row_values(r));
    return result;
}

CountsCsr select_columns(const CsrView& matrix, std::span<const std::int32_t> new_column,
                         std::int32_t new_cols) {
    check(static_cast<std::int32_t>(new_column.size()) == matrix.cols, "one new position a column");
    CountsCsr result;
    result.cols = new_cols;
    result.indptr.reserve(matrix.rows + 1);
    std::vector<std::pair<std::int32_t, float>> entries;
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
        const auto columns = matrix.row_indices(r);
        const auto values = matrix.row_values(r);
        entries.clear();
        for (std::size_t k = 0; k < columns.size(); ++k)
            if (const std::int32_t c = new_column[columns[k]]; c >= 0)
                entries.emplace_back(c, values[k]);
        std::sort(entries.begin(), entries.end());
        for (const auto& [column, value] : entries) {
            result.indices.push_back(column);
            result.values.push_back(value);
        }
        result.indptr.push_back(static_cast<std::int64_t>(result.indices.size()));
    }
    result.rows = matrix.rows;
    return result;
}

CountsCsr transpose(const CsrView& matrix) {
    check(matrix.rows <= std::numeric_limits<std::int32_t>::max(), "rows fit a column index");
    CountsCsr result;
    result.rows = matrix.cols;
    result.cols = static_cast<std::int32_t>(matrix.rows);
    result.indptr.assign(matrix.cols + 1, 0);
    for (const std::int32_t c : matrix.indices) ++result.indptr[c + 1];
    for (std::int32_t c = 0; c < matrix.cols; ++c) result.indptr[c + 1] += result.indptr[c];
    result.indices.resize(matrix.indices.size());
    result.values.resize(matrix.values.size());
    std::vector<std::int64_t> next(result.indptr.begin(), result.indptr.end() - 1);
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
        const auto columns = matrix.row_indices(r);
        const auto values = matrix.row_values(r);
        for (std::size_t k = 0; k < columns.size(); ++k) {
            const std::int64_t at = next[columns[k]]++;
            result.indices[at] = static_cast<std::int32_t>(r);
            result.values[at] = values[k];
        }
    }
    return result;
}

CountsCsr from_dense(const Eigen::Ref<const MatrixF>& dense) {
    CountsCsr result;
    result.cols = static_cast<std::int32_t>(dense.cols());
    for (Eigen::Index r = 0; r < dense.rows(); ++r) {
        for (Eigen::Index c = 0; c < dense.cols(); ++c) {
            if (dense(r, c) == 0.0F) continue;
            result.indices.push_back(static_cast<std::int32_t>(c));
            result.values.push_back(dense(r, c));
        }
        result.indptr.push_back(static_cast<std::int64_t>(result.indices.size()));
    }
    result.rows = dense.rows();
    return result;
}

MatrixF to_dense(const CsrView& matrix) {
    MatrixF result = MatrixF::Zero(matrix.rows, matrix.cols);
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
        const auto columns = matrix.row_indices(r);
        const auto values = matrix.row_values(r);
        for (std::size_t k = 0; k < columns.size(); ++k) result(r, columns[k]) = values[k];
    }
    return result;
}

std::vector<double> row_sums(const CsrView& matrix) {
    std::vector<double> sums(matrix.rows, 0.0);
    for (std::int64_t r = 0; r < matrix.rows; ++r)
        for (const float value : matrix.row_values(r)) sums[r] += value;
    return sums;
}

}  // namespace smeta::core
