#include <algorithm>
#include <limits>
#include <unordered_map>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/core/version.hpp"
#include "smeta/io/anndata.hpp"

#include "anndata_impl.hpp"

namespace smeta::io {

namespace detail {

void set_encoding(H5Object& object, std::string_view type, std::string_view version) {
    object.set_attribute("encoding-type", type);
    object.set_attribute("encoding-version", version);
}

H5Storage dense_storage(std::int64_t rows, std::int64_t cols, std::int64_t element_bytes) {
    constexpr std::int64_t kRows = 256;
    constexpr std::int64_t kBytes = std::int64_t{4} << 20U;
    if (rows == 0 || cols == 0) return H5Storage::contiguous();
    const std::int64_t width = std::min(cols, std::max<std::int64_t>(1, kBytes / element_bytes));
    const std::int64_t fitting = std::max<std::int64_t>(1, kBytes / (element_bytes * width));
    return H5Storage::chunked({std::min({rows, kRows, fitting}), width});
}

H5Storage sparse_storage(std::int64_t size) {
    constexpr std::int64_t kElements = 262'144;
    return H5Storage::chunked({std::clamp<std::int64_t>(size, 1, kElements)});
}

H5Type index_type(std::int64_t nnz) {
    return nnz <= std::numeric_limits<std::int32_t>::max() ? H5Type::Int32 : H5Type::Int64;
}

}  // namespace detail

using detail::set_encoding;

namespace {

void write_array(H5Group& parent, std::string_view name, const auto& values) {
    H5Dataset dataset = parent.write(name, values);
    set_encoding(dataset, "array", "0.2.0");
}

void write_texts(H5Group& parent, std::string_view name, const std::vector<std::string>& texts) {
    H5Dataset dataset = parent.write_texts(name, texts);
    set_encoding(dataset, "string-array", "0.2.0");
}

void write_categorical(H5Group& parent, std::string_view name, const Categorical& values) {
    H5Group group = parent.create_group(name);
    set_encoding(group, "categorical", "0.2.0");
    group.set_attribute("ordered", values.ordered);
    write_array(group, "codes", values.codes);
    write_texts(group, "categories", values.categories);
}

void write_column(H5Group& group, std::string_view name, const ColumnValues& values) {
    std::visit(
        [&](const auto& held) {
            using Values = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Values, Categorical>) {
                write_categorical(group, name, held);
            } else if constexpr (std::is_same_v<Values, std::vector<std::string>>) {
                write_texts(group, name, held);
            } else if constexpr (std::is_same_v<Values, std::vector<std::uint8_t>>) {
                H5Dataset dataset = group.write_bools(name, held);
                set_encoding(dataset, "array", "0.2.0");
            } else {
                write_array(group, name, held);
            }
        },
        values);
}

void write_csr(H5Group& parent, std::string_view name, const core::CountsCsr& csr) {
    H5Group group = parent.create_group(name);
    set_encoding(group, "csr_matrix", "0.1.0");
    const std::array<std::int64_t, 2> shape{csr.rows, csr.cols};
    group.set_attribute("shape", std::span<const std::int64_t>(shape));
    group.write("data", csr.values, detail::sparse_storage(csr.nnz()));
    const auto write = [&group](std::string_view member) {
        return [&group, member](auto numbers) {
            const auto size = static_cast<std::int64_t>(numbers.size());
            group.write(member, numbers, detail::sparse_storage(size));
        };
    };
    const H5Type type = detail::index_type(csr.nnz());
    detail::with_index_type(type, std::span(csr.indices), write("indices"));
    detail::with_index_type(type, std::span(csr.indptr), write("indptr"));
}

template <class R>
void write_dense(H5Group& parent, std::string_view name, const core::Matrix<R>& matrix) {
    const std::array<std::int64_t, 2> shape{matrix.rows(), matrix.cols()};
    H5Dataset dataset =
        parent.write(name, std::span<const std::int64_t>(shape),
                     std::span<const R>(matrix.data(), static_cast<std::size_t>(matrix.size())),
                     detail::dense_storage(matrix.rows(), matrix.cols(), sizeof(R)));
    set_encoding(dataset, "array", "0.2.0");
}

void write_uns_value(H5Group& group, const std::string& name, const UnsValue& value) {
    std::visit(
        [&](const auto& held) {
            using Held = std::decay_t<decltype(held)>;
            if constexpr (std::is_same_v<Held, UnsDict>) {
                write_uns(group, name, held);
            } else if constexpr (std::is_same_v<Held, std::string>) {
                H5Dataset dataset = group.write_text(name, held);
                set_encoding(dataset, "string", "0.2.0");
            } else if constexpr (std::is_same_v<Held, std::vector<std::string>>) {
                write_texts(group, name, held);
            } else if constexpr (std::is_same_v<Held, bool>) {
                H5Dataset dataset = group.write_bool_scalar(name, held);
                set_encoding(dataset, "numeric-scalar", "0.2.0");
            } else if constexpr (std::is_arithmetic_v<Held>) {
                H5Dataset dataset = group.write_scalar(name, held);
                set_encoding(dataset, "numeric-scalar", "0.2.0");
            } else {
                using T = typename decltype(held.values)::value_type;
                // Images are worth compressing; short arrays are not.
                constexpr std::size_t kLarge = 4096;
                H5Storage storage = held.values.size() > kLarge ? H5Storage::chunked(held.shape)
                                                                : H5Storage::contiguous();
                if (!storage.chunk.empty() && held.shape[0] > 256) storage.chunk[0] = 256;
                H5Dataset dataset = group.write(name, std::span<const std::int64_t>(held.shape),
                                                std::span<const T>(held.values), storage);
                set_encoding(dataset, "array", "0.2.0");
            }
        },
        value.value);
}

void check_shape(const MatrixValues& values, const AnnData& data, const std::string& what) {
    core::check(rows(values) == data.obs.rows() && cols(values) == data.var.rows(),
                what + " has as many rows as obs and as many columns as var");
}

/// Position + 1 of each global row in the modality, or 0; and whether it is there.
struct AxisMap {
    std::vector<std::uint32_t> position;
    std::vector<std::uint8_t> present;
};

AxisMap axis_map(const std::vector<std::string>& global, const std::vector<std::string>& local) {
    std::unordered_map<std::string_view, std::uint32_t> place;
    for (std::size_t i = 0; i < local.size(); ++i)
        place.emplace(local[i], static_cast<std::uint32_t>(i) + 1);
    AxisMap map;
    for (const auto& name : global) {
        const auto at = place.find(name);
        map.position.push_back(at == place.end() ? 0 : at->second);
        map.present.push_back(at == place.end() ? 0 : 1);
    }
    return map;
}

Frame union_of(const MuData& data, Frame AnnData::*axis) {
    Frame result;
    std::unordered_map<std::string_view, bool> seen;
    for (const auto& [name, modality] : data.modalities)
        for (const auto& entry : (modality.*axis).index)
            if (seen.emplace(entry, true).second) result.index.push_back(entry);
    return result;
}

void write_axis(H5Group& root, std::string_view axis, const Frame& frame, const MuData& data,
                Frame AnnData::*member) {
    write_frame(root, axis, frame);
    H5Group maps = root.create_group(std::string(axis) + "map");
    H5Group masks = root.create_group(std::string(axis) + "m");
    set_encoding(maps, "dict", "0.1.0");
    set_encoding(masks, "dict", "0.1.0");
    for (const auto& [name, modality] : data.modalities) {
        const AxisMap map = axis_map(frame.index, (modality.*member).index);
        write_array(maps, name, map.position);
        H5Dataset mask = masks.write_bools(name, map.present);
        set_encoding(mask, "array", "0.2.0");
    }
    H5Group pairs = root.create_group(std::string(axis) + "p");
    set_encoding(pairs, "dict", "0.1.0");
}

/// What MuData's readers look for in the first bytes of a file.
void stamp_user_block(const std::string& path) {
    const std::string text = fmt::format(
        "MuData (format-version=0.1.0;creator=smeta;creator-version={})", core::kVersion);
    std::FILE* file = std::fopen(path.c_str(), "r+b");
    if (file == nullptr) throw core::IoError::from_errno("write", path, errno);
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) != 0 || !written) throw core::IoError::from_errno("write", path, errno);
}

}  // namespace

void write_frame(H5Group& parent, std::string_view name, const Frame& frame) {
    H5Group group = parent.create_group(name);
    set_encoding(group, "dataframe", "0.2.0");
    group.set_attribute("_index", "_index");
    std::vector<std::string> order;
    for (const auto& [column, values] : frame.columns) order.push_back(column);
    group.set_attribute("column-order", std::span<const std::string>(order));
    write_texts(group, "_index", frame.index);
    for (const auto& [column, values] : frame.columns) {
        core::check(column.find('/') == std::string::npos, "a column name has no '/': " + column);
        write_column(group, column, values);
    }
}

void write_matrix(H5Group& parent, std::string_view name, const MatrixValues& values) {
    if (const auto* csr = std::get_if<core::CountsCsr>(&values))
        write_csr(parent, name, *csr);
    else
        write_dense(parent, name, std::get<core::MatrixF>(values));
}

void write_uns(H5Group& parent, std::string_view name, const UnsDict& dict) {
    H5Group group = parent.create_group(name);
    set_encoding(group, "dict", "0.1.0");
    for (const auto& [key, value] : dict) write_uns_value(group, key, value);
}

void write_anndata(H5Group& group, const AnnData& data) {
    set_encoding(group, "anndata", "0.1.0");
    if (data.x) {
        check_shape(*data.x, data, "X");
        write_matrix(group, "X", *data.x);
    }
    write_frame(group, "obs", data.obs);
    write_frame(group, "var", data.var);
    const auto dict = [&group](std::string_view name) {
        H5Group created = group.create_group(name);
        set_encoding(created, "dict", "0.1.0");
        return created;
    };
    H5Group layers = dict("layers");
    for (const auto& [name, values] : data.layers) {
        check_shape(values, data, "layer " + name);
        write_matrix(layers, name, values);
    }
    H5Group obsm = dict("obsm");
    for (const auto& [name, matrix] : data.obsm) {
        core::check(matrix.rows() == data.obs.rows(), "obsm has as many rows as obs: " + name);
        const auto& floats = data.float_obsm;
        if (std::find(floats.begin(), floats.end(), name) != floats.end())
            write_dense<float>(obsm, name, matrix.cast<float>());
        else
            write_dense<double>(obsm, name, matrix);
    }
    H5Group obsp = dict("obsp");
    for (const auto& [name, csr] : data.obsp) write_csr(obsp, name, csr);
    dict("varm");
    dict("varp");
    write_uns(group, "uns", data.uns);
}

void write_h5ad(const std::string& path, const AnnData& data) {
    H5File file = H5File::create(path);
    {
        H5Group root = file.root();
        write_anndata(root, data);
    }
    file.close();
}

void write_h5mu(const std::string& path, const MuData& data) {
    constexpr std::int64_t kUserBlock = 512;
    H5File file = H5File::create(path, {.userblock = kUserBlock});
    {
        H5Group root = file.root();
        set_encoding(root, "MuData", "0.1.0");
        root.set_attribute("axis", 0);
        const Frame obs = data.obs.index.empty() ? union_of(data, &AnnData::obs) : data.obs;
        write_axis(root, "obs", obs, data, &AnnData::obs);
        write_axis(root, "var", union_of(data, &AnnData::var), data, &AnnData::var);
        write_uns(root, "uns", data.uns);
        H5Group mod = root.create_group("mod");
        set_encoding(mod, "dict", "0.1.0");
        std::vector<std::string> order;
        for (const auto& [name, modality] : data.modalities) {
            order.push_back(name);
            H5Group group = mod.create_group(name);
            write_anndata(group, modality);
        }
        mod.set_attribute("mod-order", std::span<const std::string>(order));
    }
    file.close();
    stamp_user_block(path);
}

}  // namespace smeta::io
