#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"
#include "smeta/io/anndata.hpp"

#include "anndata_impl.hpp"

namespace smeta::io {

namespace detail {

std::string encoding_of(const H5Object& object) {
    return object.text_attribute("encoding-type").value_or("");
}

}  // namespace detail

using detail::encoding_of;

namespace {

std::vector<std::string> read_labels(const H5Group& group, std::string_view name) {
    if (group.kind(name) == H5Kind::Group) {  // nullable-string-array
        const H5Group nullable = group.group(name);
        auto values = nullable.dataset("values").read_texts();
        const auto mask = nullable.dataset("mask").read<std::uint8_t>();
        if (mask.size() != values.size())
            throw nullable.error("a mask as long as the values", std::to_string(mask.size()));
        for (std::size_t i = 0; i < values.size(); ++i)
            if (mask[i] != 0) values[i].clear();
        return values;
    }
    const H5Dataset dataset = group.dataset(name);
    if (dataset.type() == H5Type::Text) return dataset.read_texts();
    std::vector<std::string> labels;
    if (is_integer(dataset.type())) {
        for (const auto value : dataset.read<std::int64_t>())
            labels.push_back(std::to_string(value));
    } else if (is_float(dataset.type())) {
        for (const auto value : dataset.read<double>()) labels.push_back(fmt::format("{}", value));
    } else if (dataset.type() == H5Type::Bool) {
        for (const auto value : dataset.read<std::uint8_t>())
            labels.emplace_back(value != 0 ? "True" : "False");
    } else {
        throw dataset.error("text or numbers", std::string(to_string(dataset.type())));
    }
    return labels;
}

Categorical make_categorical(const H5Object& object, const std::vector<std::int64_t>& codes,
                             std::vector<std::string> categories, bool ordered) {
    Categorical result{{}, std::move(categories), ordered};
    std::unordered_set<std::string_view> seen;
    for (const auto& category : result.categories)
        if (!seen.insert(category).second)
            throw object.error("each category once", fmt::format("'{}' twice", category));
    const auto count = static_cast<std::int64_t>(result.categories.size());
    result.codes.reserve(codes.size());
    for (const std::int64_t code : codes) {
        if (code < -1 || code >= count)
            throw object.error(fmt::format("codes from -1 to {}", count - 1), std::to_string(code));
        result.codes.push_back(static_cast<std::int32_t>(code));
    }
    return result;
}

ColumnValues read_group_column(const H5Group& group) {
    const std::string encoding = encoding_of(group);
    if (encoding == "categorical") {
        const auto ordered = group.integer_attribute("ordered");
        return make_categorical(group, group.dataset("codes").read<std::int64_t>(),
                                read_labels(group, "categories"), ordered.value_or(0) != 0);
    }
    if (encoding == "nullable-integer" || encoding == "nullable-boolean") {
        auto values = group.dataset("values").read<double>();
        const auto mask = group.dataset("mask").read<std::uint8_t>();
        if (mask.size() != values.size())
            throw group.error("a mask as long as the values", std::to_string(mask.size()));
        for (std::size_t i = 0; i < values.size(); ++i)
            if (mask[i] != 0) values[i] = std::numeric_limits<double>::quiet_NaN();
        return values;
    }
    throw group.error("a categorical or nullable column",
                      encoding.empty() ? "a group without encoding-type" : encoding);
}

ColumnValues read_column(const H5Group& frame, const std::string& name) {
    if (frame.kind(name) == H5Kind::Group) {
        const H5Group group = frame.group(name);
        if (encoding_of(group) == "nullable-string-array") return read_labels(frame, name);
        return read_group_column(group);
    }
    const H5Dataset dataset = frame.dataset(name);
    // Before anndata 0.7 categories lay in a group beside the codes.
    if (frame.kind("__categories") == H5Kind::Group) {
        const H5Group categories = frame.group("__categories");
        if (categories.has(name))
            return make_categorical(dataset, dataset.read<std::int64_t>(),
                                    read_labels(categories, name), false);
    }
    switch (dataset.type()) {
        case H5Type::Text:
            return dataset.read_texts();
        case H5Type::Bool:
            return dataset.read<std::uint8_t>();
        case H5Type::Float32:
        case H5Type::Float16:
            return dataset.read<float>();
        case H5Type::Float64:
            return dataset.read<double>();
        case H5Type::Int8:
        case H5Type::Int16:
        case H5Type::Int32:
        case H5Type::UInt8:
        case H5Type::UInt16:
            return dataset.read<std::int32_t>();
        case H5Type::Int64:
        case H5Type::UInt32:
        case H5Type::UInt64:
            return dataset.read<std::int64_t>();
        case H5Type::Compound:
        case H5Type::Other:
            break;
    }
    throw dataset.error("text, numbers, booleans or a categorical",
                        std::string(to_string(dataset.type())));
}

std::int64_t length(const ColumnValues& values) {
    return std::visit(
        [](const auto& held) {
            if constexpr (std::is_same_v<std::decay_t<decltype(held)>, Categorical>)
                return static_cast<std::int64_t>(held.codes.size());
            else
                return static_cast<std::int64_t>(held.size());
        },
        values);
}

void check_index(const H5Group& group, const std::vector<std::string>& index) {
    std::unordered_set<std::string_view> seen;
    for (const auto& name : index)
        if (!seen.insert(name).second)
            throw group.error("unique names", fmt::format("'{}' twice", name),
                              "make the names unique (anndata: obs_names_make_unique, "
                              "var_names_make_unique)");
}

template <class T>
NdArray<T> read_array(const H5Dataset& dataset) {
    return {dataset.shape(), dataset.read<T>()};
}

std::optional<UnsValue> read_uns_dataset(const H5Dataset& dataset) {
    if (dataset.is_null()) return std::nullopt;
    const bool scalar = dataset.shape().empty();
    const H5Type type = dataset.type();
    if (type == H5Type::Text) {
        if (scalar) return UnsValue{dataset.read_text()};
        if (dataset.shape().size() == 1) return UnsValue{dataset.read_texts()};
        return std::nullopt;
    }
    if (type == H5Type::Bool && scalar) return UnsValue{dataset.read_scalar<std::uint8_t>() != 0};
    if (is_integer(type) || type == H5Type::Bool) {
        if (scalar) return UnsValue{dataset.read_scalar<std::int64_t>()};
        if (type == H5Type::UInt8 || type == H5Type::Bool)
            return UnsValue{read_array<std::uint8_t>(dataset)};
        return UnsValue{read_array<std::int64_t>(dataset)};
    }
    if (is_float(type)) {
        if (scalar) return UnsValue{dataset.read_scalar<double>()};
        if (type == H5Type::Float32) return UnsValue{read_array<float>(dataset)};
        return UnsValue{read_array<double>(dataset)};
    }
    return std::nullopt;
}

/// Elements of kinds that smeta has no use for; one warning names them.
class LeftOut {
  public:
    explicit LeftOut(const H5Object& object) : file_(object.file()) {}
    LeftOut(const LeftOut&) = delete;
    LeftOut& operator=(const LeftOut&) = delete;
    void add(const H5Group& group, const std::string& name) {
        names_.push_back(fmt::format("{}/{}", group.path(), name));
    }
    void warn() const {
        if (!names_.empty())
            core::log_warning("{}: left out, of kinds that smeta does not keep: {}", file_,
                              fmt::join(names_, ", "));
    }

  private:
    std::string file_;
    std::vector<std::string> names_;
};

UnsDict read_dict(const H5Group& group, LeftOut& left_out) {
    UnsDict dict;
    for (const auto& name : group.links()) {
        std::optional<UnsValue> value;
        if (group.kind(name) == H5Kind::Group) {
            const H5Group inner = group.group(name);
            const std::string encoding = encoding_of(inner);
            if (encoding.empty() || encoding == "dict")
                value = UnsValue{read_dict(inner, left_out)};
        } else {
            value = read_uns_dataset(group.dataset(name));
        }
        if (value)
            dict.emplace(name, std::move(*value));
        else
            left_out.add(group, name);
    }
    return dict;
}

UnsDict read_uns(const H5Group& parent, std::string_view name, LeftOut& left_out) {
    return parent.kind(name) == H5Kind::Group ? read_dict(parent.group(name), left_out) : UnsDict{};
}

bool is_numeric(const H5Dataset& dataset) {
    return !dataset.is_null() && (is_integer(dataset.type()) || is_float(dataset.type()) ||
                                  dataset.type() == H5Type::Bool);
}

/// A dataframe whose columns all are numbers.
bool is_numeric_frame(const H5Group& frame) {
    const auto columns = frame.texts_attribute("column-order");
    if (!columns) return false;
    return std::all_of(columns->begin(), columns->end(), [&](const std::string& column) {
        if (frame.kind(column) == H5Kind::Group) {
            const std::string encoding = encoding_of(frame.group(column));
            return encoding == "nullable-integer" || encoding == "nullable-boolean";
        }
        return frame.kind(column) != H5Kind::Dataset || is_numeric(frame.dataset(column));
    });
}

/// Whether an element is of a kind that can be read as a matrix; one that is may still be damaged.
bool is_matrix(const H5Group& parent, const std::string& name) {
    if (parent.kind(name) != H5Kind::Group) {
        const H5Dataset dataset = parent.dataset(name);
        return is_numeric(dataset) && dataset.shape().size() == 2;
    }
    const H5Group group = parent.group(name);
    const std::string encoding = encoding_of(group);
    return encoding == "csr_matrix" || encoding == "csc_matrix" ||
           (encoding.empty() && group.text_attribute("h5sparse_format").has_value());
}

bool is_obsm(const H5Group& parent, const std::string& name) {
    if (parent.kind(name) == H5Kind::Group)
        return is_matrix(parent, name) || (encoding_of(parent.group(name)) == "dataframe" &&
                                           is_numeric_frame(parent.group(name)));
    const H5Dataset dataset = parent.dataset(name);
    return is_matrix(parent, name) || (is_numeric(dataset) && dataset.shape().size() == 1);
}

/// Coordinates and latents: never left out.
bool is_needed(const std::string& name) {
    return name == "spatial" || name.starts_with("X_smeta");
}

/// Reads every member of an obsm-like group that is a matrix of numbers of `rows` rows.
void read_obsm_group(const H5Group& group, AnnData& data, LeftOut& left_out) {
    for (const auto& name : group.links()) {
        if (!is_needed(name) && !is_obsm(group, name)) {
            left_out.add(group, name);
            continue;
        }
        if (group.kind(name) == H5Kind::Dataset && group.dataset(name).type() == H5Type::Float32)
            data.float_obsm.push_back(name);
        data.obsm.emplace(name, detail::read_obsm(group, name, data.obs.rows()));
    }
}

/// A matrix of the shape that obs and var say: memory is taken for no other.
MatrixValues read_shaped(const H5Group& group, const std::string& name, std::int64_t rows,
                         std::int64_t cols) {
    const detail::Shape shape = detail::matrix_shape(group, name);
    if (shape.rows != rows || shape.cols != cols)
        throw core::FormatError(
            {group.file(), fmt::format("{}/{}", group.path() == "/" ? "" : group.path(), name),
             fmt::format("{} x {} values, as obs and var say", rows, cols),
             fmt::format("{} x {}", shape.rows, shape.cols), ""});
    return detail::read_matrix(group, name);
}

void read_layers(const H5Group& layers, AnnData& data, LeftOut& left_out) {
    for (const auto& name : layers.links()) {
        if (is_matrix(layers, name))
            data.layers.emplace(name, read_shaped(layers, name, data.obs.rows(), data.var.rows()));
        else
            left_out.add(layers, name);
    }
}

void read_obsp(const H5Group& obsp, AnnData& data, LeftOut& left_out) {
    const std::int64_t rows = data.obs.rows();
    for (const auto& name : obsp.links()) {
        if (is_matrix(obsp, name))
            data.obsp.emplace(name, to_csr(read_shaped(obsp, name, rows, rows)));
        else
            left_out.add(obsp, name);
    }
}

}  // namespace

Frame read_frame(const H5Group& parent, std::string_view name) {
    if (parent.kind(name) == H5Kind::Dataset)
        throw parent.dataset(name).error("a dataframe group", "a record array (anndata before 0.7)",
                                         "open the file with anndata and write it again");
    const H5Group group = parent.group(name);
    Frame frame;
    const std::string index = group.text_attribute("_index").value_or("_index");
    if (!group.has(index))
        throw group.error(fmt::format("an index '{}'", index), "none", "is this an AnnData file?");
    frame.index = read_labels(group, index);
    check_index(group, frame.index);
    auto order = group.texts_attribute("column-order");
    if (!order) {
        order = group.links();
        std::erase_if(*order,
                      [&](const auto& link) { return link == index || link == "__categories"; });
    }
    std::unordered_set<std::string_view> seen;
    for (const auto& column : *order) {
        if (column.find('/') != std::string::npos || column == "_index" ||
            !seen.insert(column).second)
            throw group.error("every column once in column-order, named without '/'",
                              fmt::format("'{}'", column));
        ColumnValues values = read_column(group, column);
        if (length(values) != frame.rows())
            throw group.error(fmt::format("{} values in column '{}'", frame.rows(), column),
                              std::to_string(length(values)));
        frame.columns.emplace_back(column, std::move(values));
    }
    return frame;
}

UnsDict read_uns(const H5Group& parent, std::string_view name) {
    LeftOut left_out(parent);
    UnsDict dict = read_uns(parent, name, left_out);
    left_out.warn();
    return dict;
}

AnnData read_anndata(const H5Group& group, Values values) {
    const auto is_wanted = [&](const char* name) {
        return values == Values::Read && group.kind(name) == H5Kind::Group;
    };
    AnnData data;
    LeftOut left_out(group);
    data.obs = read_frame(group, "obs");
    data.var = read_frame(group, "var");
    if (values == Values::Read && detail::has_values(group, "X"))
        data.x = read_shaped(group, "X", data.obs.rows(), data.var.rows());
    if (is_wanted("layers")) read_layers(group.group("layers"), data, left_out);
    if (group.kind("obsm") == H5Kind::Group) read_obsm_group(group.group("obsm"), data, left_out);
    if (is_wanted("obsp")) read_obsp(group.group("obsp"), data, left_out);
    data.uns = read_uns(group, "uns", left_out);
    left_out.warn();
    return data;
}

AnnData read_h5ad(const std::string& path) {
    const H5File file = H5File::open(path);
    const H5Group root = file.root();
    if (root.has("mod") && !root.has("X"))
        throw root.error("an AnnData file (.h5ad)", "a MuData file (.h5mu)");
    return read_anndata(root);
}

}  // namespace smeta::io
