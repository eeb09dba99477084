#include <algorithm>

#include <fmt/format.h>

#include "smeta/io/h5.hpp"

#include "h5_impl.hpp"

namespace smeta::io {

using detail::checked_write;
using detail::H5Id;

H5Object::H5Object(std::shared_ptr<detail::H5FileState> state, detail::H5Id id, std::string path)
    : state_(std::move(state)), id_(std::move(id)), path_(std::move(path)) {}

const std::string& H5Object::file() const {
    return state_->path;
}

core::FormatError H5Object::error(std::string expected, std::string found, std::string hint) const {
    return core::FormatError(
        {file(), path_, std::move(expected), std::move(found), std::move(hint)});
}

namespace {

/// An open attribute with its description.
struct Attribute {
    H5Id id;
    H5Id type;
    H5Id space;
    std::size_t count = 0;
    H5Type kind = H5Type::Other;
};

std::optional<Attribute> open_attribute(const H5Object& owner, hid_t object,
                                        const std::string& name) {
    const htri_t exists = H5Aexists(object, name.c_str());
    if (exists == 0) return std::nullopt;
    Attribute attribute;
    attribute.id = H5Id(exists < 0 ? -1 : H5Aopen(object, name.c_str(), H5P_DEFAULT));
    if (attribute.id.get() < 0)
        throw owner.error(fmt::format("a readable attribute '{}'", name),
                          detail::take_error_stack(), "the file is damaged");
    attribute.type = H5Id(H5Aget_type(attribute.id.get()));
    attribute.space = H5Id(H5Aget_space(attribute.id.get()));
    const hssize_t count = H5Sget_simple_extent_npoints(attribute.space.get());
    attribute.count = count < 0 ? 0 : static_cast<std::size_t>(count);
    attribute.kind = detail::classify_type(attribute.type.get());
    return attribute;
}

core::FormatError wrong_attribute(const H5Object& owner, std::string_view name,
                                  std::string_view expected, const Attribute& attribute) {
    return owner.error(
        fmt::format("attribute '{}': {}", name, expected),
        fmt::format("{} value(s) of {}", attribute.count, to_string(attribute.kind)));
}

std::vector<std::string> read_texts(const H5Object& owner, const Attribute& attribute) {
    return detail::read_text_elements(
        owner, attribute.type.get(), attribute.space.get(), attribute.count,
        [&](hid_t type, void* buffer) { return H5Aread(attribute.id.get(), type, buffer); });
}

template <class T>
std::vector<T> read_numbers(const H5Object& owner, std::string_view name,
                            const Attribute& attribute) {
    std::vector<T> values(attribute.count);
    if (attribute.kind == H5Type::Bool) {
        std::vector<std::int8_t> bytes(attribute.count);
        if (H5Aread(attribute.id.get(), attribute.type.get(), bytes.data()) < 0)
            throw wrong_attribute(owner, name, "readable", attribute);
        std::copy(bytes.begin(), bytes.end(), values.begin());
        return values;
    }
    const H5Id memory_type = detail::make_type(h5_type<T>());
    if (H5Aread(attribute.id.get(), memory_type.get(), values.data()) < 0)
        throw wrong_attribute(owner, name, "readable", attribute);
    return values;
}

void write_attribute(detail::H5FileState& state, hid_t object, std::string_view name, hid_t type,
                     const std::vector<hsize_t>& shape, const void* values) {
    const std::string key(name);
    if (H5Aexists(object, key.c_str()) > 0)
        checked_write(state, H5Adelete(object, key.c_str()), "replace an attribute of");
    const H5Id space = detail::make_space(shape);
    H5Id attribute(checked_write(
        state, H5Acreate2(object, key.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
        fmt::format("create attribute '{}' in", name)));
    if (values != nullptr)
        checked_write(state, H5Awrite(attribute.get(), type, values),
                      fmt::format("write attribute '{}' to", name));
    if (!attribute.reset()) state.fail("write");
}

void require_text(std::string_view text) {
    core::check(text.find('\0') == std::string_view::npos, "text for HDF5 has no zero bytes");
    core::check(detail::is_utf8(text), "text for HDF5 is UTF-8");
}

}  // namespace

bool H5Object::has_attribute(std::string_view name) const {
    return H5Aexists(id_.get(), std::string(name).c_str()) > 0;
}

std::vector<std::string> H5Object::attribute_names() const {
    std::vector<std::string> names;
    const H5A_operator2_t collect = [](hid_t, const char* name, const H5A_info_t*,
                                       void* data) -> herr_t {
        static_cast<std::vector<std::string>*>(data)->emplace_back(name);
        return 0;
    };
    hsize_t index = 0;
    if (H5Aiterate2(id_.get(), H5_INDEX_NAME, H5_ITER_INC, &index, collect, &names) < 0)
        throw error("readable attributes", detail::take_error_stack(), "the file is damaged");
    std::sort(names.begin(), names.end());
    return names;
}

std::optional<std::string> H5Object::text_attribute(std::string_view name) const {
    const auto attribute = open_attribute(*this, id_.get(), std::string(name));
    if (!attribute) return std::nullopt;
    if (attribute->kind != H5Type::Text || attribute->count != 1)
        throw wrong_attribute(*this, name, "one text", *attribute);
    return read_texts(*this, *attribute).at(0);
}

std::optional<std::vector<std::string>> H5Object::texts_attribute(std::string_view name) const {
    const auto attribute = open_attribute(*this, id_.get(), std::string(name));
    if (!attribute) return std::nullopt;
    if (attribute->count == 0) return std::vector<std::string>();
    if (attribute->kind != H5Type::Text) throw wrong_attribute(*this, name, "texts", *attribute);
    return read_texts(*this, *attribute);
}

std::optional<std::vector<std::int64_t>> H5Object::integers_attribute(std::string_view name) const {
    const auto attribute = open_attribute(*this, id_.get(), std::string(name));
    if (!attribute) return std::nullopt;
    if (!is_integer(attribute->kind) && attribute->kind != H5Type::Bool)
        throw wrong_attribute(*this, name, "integers", *attribute);
    return read_numbers<std::int64_t>(*this, name, *attribute);
}

std::optional<std::int64_t> H5Object::integer_attribute(std::string_view name) const {
    const auto values = integers_attribute(name);
    if (!values) return std::nullopt;
    if (values->size() != 1)
        throw error(fmt::format("attribute '{}': one integer", name),
                    fmt::format("{} values", values->size()));
    return values->front();
}

std::optional<double> H5Object::number_attribute(std::string_view name) const {
    const auto attribute = open_attribute(*this, id_.get(), std::string(name));
    if (!attribute) return std::nullopt;
    const bool numeric =
        is_integer(attribute->kind) || is_float(attribute->kind) || attribute->kind == H5Type::Bool;
    if (!numeric || attribute->count != 1)
        throw wrong_attribute(*this, name, "one number", *attribute);
    return read_numbers<double>(*this, name, *attribute).at(0);
}

void H5Object::set_attribute(std::string_view name, std::string_view text) {
    require_text(text);
    const std::string copy(text);
    const char* pointer = copy.c_str();
    const H5Id type = detail::make_type(H5Type::Text);
    write_attribute(*state_, id_.get(), name, type.get(), {}, &pointer);
}

void H5Object::set_attribute(std::string_view name, std::int64_t value) {
    const H5Id type = detail::make_type(H5Type::Int64);
    write_attribute(*state_, id_.get(), name, type.get(), {}, &value);
}

void H5Object::set_attribute(std::string_view name, double value) {
    const H5Id type = detail::make_type(H5Type::Float64);
    write_attribute(*state_, id_.get(), name, type.get(), {}, &value);
}

void H5Object::set_attribute(std::string_view name, bool value) {
    const H5Id type = detail::make_type(H5Type::Bool);
    const std::int8_t byte = value ? 1 : 0;
    write_attribute(*state_, id_.get(), name, type.get(), {}, &byte);
}

void H5Object::set_attribute(std::string_view name, std::span<const std::int64_t> values) {
    const H5Id type = detail::make_type(H5Type::Int64);
    write_attribute(*state_, id_.get(), name, type.get(), {values.size()},
                    values.empty() ? nullptr : values.data());
}

void H5Object::set_attribute(std::string_view name, std::span<const std::string> texts) {
    std::vector<const char*> pointers;
    for (const auto& text : texts) {
        require_text(text);
        pointers.push_back(text.c_str());
    }
    const H5Id type = detail::make_type(H5Type::Text);
    write_attribute(*state_, id_.get(), name, type.get(), {texts.size()},
                    texts.empty() ? nullptr : static_cast<const void*>(pointers.data()));
}

void H5Object::set_bytes_attribute(std::string_view name, std::span<const std::string> texts) {
    std::size_t width = 1;
    for (const auto& text : texts) width = std::max(width, text.size());
    std::string padded;
    for (const auto& text : texts) {
        require_text(text);
        padded += text;
        padded.append(width - text.size(), '\0');
    }
    const H5Id type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.get(), width);
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    write_attribute(*state_, id_.get(), name, type.get(), {texts.size()},
                    texts.empty() ? nullptr : static_cast<const void*>(padded.data()));
}

}  // namespace smeta::io
