#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

#include "anndata_impl.hpp"

namespace smeta::io::detail {

namespace {

// A sparse obsm is made dense: with fewer values stored a small file would ask for much memory.
constexpr std::int64_t kMostEmpty = 100;
constexpr std::int64_t kNarrow = 1000;

Shape sparse_shape(const H5Group& group) {
    auto shape = group.integers_attribute("shape");
    if (!shape) shape = group.integers_attribute("h5sparse_shape");
    if (!shape || shape->size() != 2 || (*shape)[0] < 0 || (*shape)[1] < 0)
        throw group.error("an attribute 'shape' with two sizes", "none or another");
    return {(*shape)[0], (*shape)[1]};
}

/// Indices of any integer width, checked against the number of columns.
std::vector<std::int32_t> read_indices(const H5Group& group, std::int64_t nnz, std::int64_t cols) {
    const H5Dataset dataset = group.dataset("indices");
    if (!is_integer(dataset.type()) || dataset.shape() != std::vector<std::int64_t>{nnz})
        throw dataset.error(
            fmt::format("{} integers (the end of indptr)", nnz),
            fmt::format("{} of type {}", dataset.size(), to_string(dataset.type())));
    if (cols > std::numeric_limits<std::int32_t>::max())
        throw group.error("at most 2^31 - 1 columns", std::to_string(cols));
    // Numbers that an int32 cannot hold are read as its limits, which no column has.
    auto indices = dataset.read<std::int32_t>();
    for (std::size_t k = 0; k < indices.size(); ++k)
        if (indices[k] < 0 || indices[k] >= cols)
            throw dataset.error(fmt::format("column indices below {}", cols),
                                fmt::format("{} at entry {}", indices[k], k),
                                "the file is damaged or was written wrongly");
    return indices;
}

core::CountsCsr read_compressed(const H5Group& group, std::int64_t major, std::int64_t minor) {
    core::CountsCsr matrix;
    matrix.rows = major;
    matrix.indptr = read_indptr(group, major);
    const std::int64_t nnz = matrix.indptr.back();
    matrix.indices = read_indices(group, nnz, minor);
    matrix.cols = static_cast<std::int32_t>(minor);
    const H5Dataset data = group.dataset("data");
    matrix.values = read_float(data);
    if (static_cast<std::int64_t>(matrix.values.size()) != nnz)
        throw data.error(fmt::format("{} values (the end of indptr)", nnz),
                         std::to_string(matrix.values.size()));
    order_rows(matrix, group);
    return matrix;
}

core::MatrixF read_dense(const H5Dataset& dataset) {
    if (dataset.shape().size() != 2)
        throw dataset.error("a matrix", fmt::format("{} dimensions", dataset.shape().size()));
    const auto values = read_float(dataset);
    return Eigen::Map<const core::MatrixF>(values.data(), dataset.shape()[0], dataset.shape()[1]);
}

}  // namespace

std::string sparse_format(const H5Group& group) {
    const std::string encoding = encoding_of(group);
    if (encoding == "csr_matrix" || encoding == "csc_matrix") return encoding.substr(0, 3);
    const auto legacy = group.text_attribute("h5sparse_format");
    if (legacy && (*legacy == "csr" || *legacy == "csc")) return *legacy;
    throw group.error("a csr_matrix or csc_matrix", encoding.empty() ? "a group" : encoding,
                      "write the matrix as dense, CSR or CSC");
}

bool has_values(const H5Group& parent, std::string_view name) {
    const H5Kind kind = parent.kind(name);
    if (kind == H5Kind::Missing) return false;
    return kind == H5Kind::Group || !parent.dataset(name).is_null();
}

std::vector<float> read_float(const H5Dataset& dataset) {
    if (!is_integer(dataset.type()) && !is_float(dataset.type()) && dataset.type() != H5Type::Bool)
        throw dataset.error("numbers", std::string(to_string(dataset.type())));
    return dataset.read<float>();
}

std::vector<std::int64_t> read_indptr(const H5Group& group, std::int64_t major) {
    const H5Dataset dataset = group.dataset("indptr");
    if (!is_integer(dataset.type()) || dataset.shape().size() != 1 || dataset.size() - 1 != major)
        throw dataset.error(
            fmt::format("one integer more than the {} rows", major),
            fmt::format("{} of type {}", dataset.size(), to_string(dataset.type())));
    auto indptr = dataset.read<std::int64_t>();
    if (indptr[0] != 0) throw dataset.error("0 at the start", std::to_string(indptr[0]));
    for (std::int64_t r = 0; r < major; ++r)
        if (indptr[r] > indptr[r + 1])
            throw dataset.error("values that never fall",
                                fmt::format("{} after {} at row {}", indptr[r + 1], indptr[r], r),
                                "the file is damaged or was written wrongly");
    return indptr;
}

void order_rows(core::CountsCsr& matrix, const H5Group& group) {
    std::vector<std::int64_t> order;
    std::vector<std::int32_t> columns;
    std::vector<float> values;
    for (std::int64_t r = 0; r < matrix.rows; ++r) {
        const auto first = matrix.indices.begin() + matrix.indptr[r];
        const auto last = matrix.indices.begin() + matrix.indptr[r + 1];
        if (std::adjacent_find(first, last, std::greater_equal<>()) == last) continue;
        columns.assign(first, last);
        values.assign(matrix.values.begin() + matrix.indptr[r],
                      matrix.values.begin() + matrix.indptr[r + 1]);
        order.resize(columns.size());
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(),
                  [&](std::int64_t a, std::int64_t b) { return columns[a] < columns[b]; });
        for (std::size_t k = 0; k < order.size(); ++k) {
            if (k > 0 && columns[order[k]] == columns[order[k - 1]])
                throw group.error("each column once in a row",
                                  fmt::format("column {} twice in row {}", columns[order[k]], r));
            *(first + static_cast<std::int64_t>(k)) = columns[order[k]];
            matrix.values[matrix.indptr[r] + static_cast<std::int64_t>(k)] = values[order[k]];
        }
    }
}

Shape matrix_shape(const H5Group& parent, std::string_view name) {
    if (parent.kind(name) == H5Kind::Group) return sparse_shape(parent.group(name));
    const H5Dataset dataset = parent.dataset(name);
    if (dataset.shape().size() != 2)
        throw dataset.error("a matrix", fmt::format("{} dimensions", dataset.shape().size()));
    return {dataset.shape()[0], dataset.shape()[1]};
}

MatrixValues read_matrix(const H5Group& parent, std::string_view name) {
    if (parent.kind(name) != H5Kind::Group) return read_dense(parent.dataset(name));
    const H5Group group = parent.group(name);
    const Shape shape = sparse_shape(group);
    if (sparse_format(group) == "csr") return read_compressed(group, shape.rows, shape.cols);
    return core::transpose(read_compressed(group, shape.cols, shape.rows));
}

core::MatrixD read_obsm(const H5Group& obsm, const std::string& name, std::int64_t rows) {
    const auto require_rows = [&](std::int64_t found) {
        if (found != rows)
            throw obsm.error(fmt::format("{} rows in '{}', as in obs", rows, name),
                             std::to_string(found));
    };
    if (obsm.kind(name) == H5Kind::Group) {
        const std::string encoding = encoding_of(obsm.group(name));
        if (encoding == "dataframe") {
            const Frame frame = read_frame(obsm, name);
            require_rows(frame.rows());
            core::MatrixD matrix(frame.rows(), static_cast<Eigen::Index>(frame.columns.size()));
            for (std::size_t c = 0; c < frame.columns.size(); ++c) {
                const auto column = frame.as_number(frame.columns[c].first, obsm.file());
                for (std::int64_t r = 0; r < frame.rows(); ++r)
                    matrix(r, static_cast<Eigen::Index>(c)) = column[r];
            }
            return matrix;
        }
        const Shape shape = matrix_shape(obsm, name);
        require_rows(shape.rows);
        const auto stored = obsm.group(name).dataset("indices").size();
        if (shape.rows > 0 && shape.cols > kMostEmpty * (stored + 1) / shape.rows + kNarrow)
            throw obsm.error(
                fmt::format("at least one value stored in {} of '{}'", kMostEmpty, name),
                fmt::format("{} in {} x {}", stored, shape.rows, shape.cols),
                "write it as a dense matrix");
        return to_dense(read_matrix(obsm, name)).cast<double>();
    }
    const H5Dataset dataset = obsm.dataset(name);
    if (dataset.shape().size() > 2 || dataset.shape().empty() || dataset.type() == H5Type::Text)
        throw dataset.error("a matrix of numbers",
                            fmt::format("{} dimensions of type {}", dataset.shape().size(),
                                        to_string(dataset.type())));
    require_rows(dataset.shape()[0]);
    const auto values = dataset.read<double>();
    const std::int64_t cols = dataset.shape().size() == 2 ? dataset.shape()[1] : 1;
    return Eigen::Map<const core::MatrixD>(values.data(), dataset.shape()[0], cols);
}

}  // namespace smeta::io::detail
