#include <algorithm>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/anndata.hpp"

#include "anndata_impl.hpp"

namespace smeta::io {

namespace {

H5Group modalities(const H5Group& root) {
    if (root.kind("mod") != H5Kind::Group)
        throw root.error("a group 'mod' with the modalities", "none", "is this a .h5mu file?");
    return root.group("mod");
}

std::vector<std::string> names_in_order(const H5Group& mod) {
    auto names = mod.links();
    auto order = mod.texts_attribute("mod-order");
    if (!order) return names;
    auto sorted = *order;
    std::sort(sorted.begin(), sorted.end());
    if (sorted != names)
        throw mod.error("mod-order with every modality once", fmt::format("{}", order->size()));
    return *order;
}

}  // namespace

MuData read_h5mu(const std::string& path, Values values) {
    const H5File file = H5File::open(path);
    const H5Group root = file.root();
    const H5Group mod = modalities(root);
    MuData data;
    for (const auto& name : names_in_order(mod))
        data.modalities.emplace_back(name, read_anndata(mod.group(name), values));
    data.obs = read_frame(root, "obs");
    data.uns = read_uns(root, "uns");
    return data;
}

std::vector<std::string> modality_names(const std::string& path) {
    const H5File file = H5File::open(path);
    const H5Group root = file.root();
    return names_in_order(modalities(root));
}

struct AnnDataReader::State {
    H5File file;
    H5Group group;
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    bool has_x = false;
    bool dense = false;
    std::vector<std::int64_t> indptr;  ///< of a CSR X
    // Open as long as the reader: a part that begins where the last one ended finds its first chunk
    // in HDF5's cache.
    std::optional<H5Dataset> values;   ///< of X, dense or CSR
    std::optional<H5Dataset> indices;  ///< of a CSR X

    State(H5File opened, H5Group at) : file(std::move(opened)), group(std::move(at)) {}
};

AnnDataReader::AnnDataReader(const std::string& path, std::string_view modality) {
    H5File file = H5File::open(path);
    H5Group root = file.root();
    H5Group group = modality.empty() ? std::move(root) : modalities(root).group(modality);
    state_ = std::make_unique<State>(std::move(file), std::move(group));
    State& state = *state_;
    const auto length = [&](const char* axis) {
        const H5Group frame = state.group.group(axis);
        const std::string index = frame.text_attribute("_index").value_or("_index");
        const H5Dataset names = frame.dataset(index);
        if (names.shape().size() != 1)
            throw names.error("one dimension", fmt::format("{}", names.shape().size()));
        return names.size();
    };
    state.rows = length("obs");
    state.cols = length("var");
    state.has_x = detail::has_values(state.group, "X");
    if (!state.has_x) return;
    const detail::Shape shape = detail::matrix_shape(state.group, "X");
    if (shape.rows != state.rows || shape.cols != state.cols)
        throw state.group.error(fmt::format("X of {} x {}", state.rows, state.cols),
                                fmt::format("{} x {}", shape.rows, shape.cols));
    state.dense = state.group.kind("X") == H5Kind::Dataset;
    if (state.dense) {
        state.values.emplace(state.group.dataset("X"));
        return;
    }
    const H5Group x = state.group.group("X");
    if (detail::sparse_format(x) != "csr")
        throw x.error("X by rows (CSR or dense)", "CSC: rows cannot be read without the rest",
                      "write X as CSR: adata.X = adata.X.tocsr()");
    state.indptr = detail::read_indptr(x, state.rows);
    for (const char* member : {"data", "indices"})
        if (x.dataset(member).shape() != std::vector<std::int64_t>{state.indptr.back()})
            throw x.dataset(member).error(
                fmt::format("{} entries (the end of indptr)", state.indptr.back()),
                std::to_string(x.dataset(member).size()));
    state.values.emplace(x.dataset("data"));
    state.indices.emplace(x.dataset("indices"));
}

AnnDataReader::~AnnDataReader() = default;
AnnDataReader::AnnDataReader(AnnDataReader&&) noexcept = default;
AnnDataReader& AnnDataReader::operator=(AnnDataReader&&) noexcept = default;

std::int64_t AnnDataReader::rows() const {
    return state_->rows;
}
std::int32_t AnnDataReader::cols() const {
    return static_cast<std::int32_t>(state_->cols);
}
bool AnnDataReader::has_x() const {
    return state_->has_x;
}
std::int64_t AnnDataReader::stored_values() const {
    if (!state_->has_x) return 0;
    return state_->dense ? state_->rows * state_->cols : state_->indptr.back();
}
Frame AnnDataReader::obs() const {
    return read_frame(state_->group, "obs");
}
Frame AnnDataReader::var() const {
    return read_frame(state_->group, "var");
}
UnsDict AnnDataReader::uns() const {
    return read_uns(state_->group, "uns");
}
bool AnnDataReader::has_obsm(std::string_view name) const {
    return state_->group.kind("obsm") == H5Kind::Group && state_->group.group("obsm").has(name);
}

core::MatrixD AnnDataReader::obsm(std::string_view name) const {
    return detail::read_obsm(state_->group.group("obsm"), std::string(name), state_->rows);
}

core::CountsCsr AnnDataReader::x_rows(std::int64_t first, std::int64_t last) const {
    const State& state = *state_;
    core::check(state.has_x, "x_rows needs an X");
    core::check(0 <= first && first <= last && last <= state.rows, "rows inside the matrix");
    if (state.dense) {
        const auto values = state.values->read_rows<float>(first, last);
        return core::from_dense(
            Eigen::Map<const core::MatrixF>(values.data(), last - first, state.cols));
    }
    const H5Group x = state.group.group("X");
    core::CountsCsr result;
    result.rows = last - first;
    result.cols = static_cast<std::int32_t>(state.cols);
    result.indptr.clear();
    const std::int64_t base = state.indptr[first];
    for (std::int64_t r = first; r <= last; ++r) result.indptr.push_back(state.indptr[r] - base);
    result.indices = state.indices->read_rows<std::int32_t>(base, state.indptr[last]);
    for (const std::int32_t column : result.indices)
        if (column < 0 || column >= state.cols)
            throw x.error(fmt::format("column indices below {}", state.cols),
                          std::to_string(column));
    result.values = state.values->read_rows<float>(base, state.indptr[last]);
    detail::order_rows(result, x);
    return result;
}

}  // namespace smeta::io
