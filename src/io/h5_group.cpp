#include <algorithm>

#include <fmt/format.h>

#include "smeta/io/h5.hpp"

#include "h5_impl.hpp"

namespace smeta::io {

using detail::checked_write;
using detail::H5Id;

namespace {

/// Links of "a/b/c"; nothing when a part is empty, "." or has a zero byte, since no link has such a
/// name.
std::vector<std::string> split_path(std::string_view name) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t slash = name.find('/');
        parts.emplace_back(name.substr(0, slash));
        if (parts.back().empty() || parts.back() == "." ||
            parts.back().find('\0') != std::string::npos)
            return {};
        if (slash == std::string_view::npos) return parts;
        name.remove_prefix(slash + 1);
    }
}

H5Kind link_kind(hid_t group, const std::string& name) {
    if (H5Lexists(group, name.c_str(), H5P_DEFAULT) <= 0) {
        H5Eclear2(H5E_DEFAULT);
        return H5Kind::Missing;
    }
    H5L_info_t link{};
    if (H5Lget_info(group, name.c_str(), &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD) {
        H5Eclear2(H5E_DEFAULT);
        return H5Kind::Refused;
    }
    H5O_info_t info{};
    if (H5Oget_info_by_name2(group, name.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) {
        H5Eclear2(H5E_DEFAULT);
        return H5Kind::Refused;
    }
    // A group with several links may lie inside itself: walking down would not end.
    if (info.type == H5O_TYPE_GROUP) return info.rc > 1 ? H5Kind::Refused : H5Kind::Group;
    return info.type == H5O_TYPE_DATASET ? H5Kind::Dataset : H5Kind::Refused;
}

/// The group that holds the last link of a path, or nothing when a group on the way is missing.
struct Parent {
    H5Id id;
    std::string name;
    H5Kind kind = H5Kind::Missing;
};

Parent find_parent(hid_t group, std::string_view path) {
    const auto parts = split_path(path);  // the path may come from the file itself
    Parent parent;
    if (parts.empty()) return parent;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const hid_t at = i == 0 ? group : parent.id.get();
        parent.name = parts[i];
        parent.kind = link_kind(at, parts[i]);
        if (i + 1 == parts.size()) break;
        if (parent.kind != H5Kind::Group) {
            if (parent.kind == H5Kind::Dataset) parent.kind = H5Kind::Missing;
            return {H5Id(), parts[i], parent.kind};
        }
        parent.id = H5Id(H5Gopen2(at, parts[i].c_str(), H5P_DEFAULT));
    }
    if (parts.size() == 1) {
        H5Iinc_ref(group);
        parent.id = H5Id(group);
    }
    return parent;
}

std::string_view to_string(H5Kind kind) {
    switch (kind) {
        case H5Kind::Missing:
            return "nothing of that name";
        case H5Kind::Group:
            return "a group";
        case H5Kind::Dataset:
            return "a dataset";
        case H5Kind::Refused:
            break;
    }
    return "a soft, external or damaged link, or a second link to a group, which smeta does not "
           "follow";
}

}  // namespace

std::string H5Group::child_path(std::string_view name) const {
    return path_ == "/" ? fmt::format("/{}", name) : fmt::format("{}/{}", path_, name);
}

std::vector<std::string> H5Group::links() const {
    std::vector<std::string> names;
    const H5L_iterate_t collect = [](hid_t, const char* name, const H5L_info_t*,
                                     void* data) -> herr_t {
        static_cast<std::vector<std::string>*>(data)->emplace_back(name);
        return 0;
    };
    hsize_t index = 0;
    if (H5Literate(id_.get(), H5_INDEX_NAME, H5_ITER_INC, &index, collect, &names) < 0)
        throw error("a readable group", detail::take_error_stack(), "the file is damaged");
    std::sort(names.begin(), names.end());
    return names;
}

H5Kind H5Group::kind(std::string_view name) const {
    return find_parent(id_.get(), name).kind;
}

H5Id H5Group::open_checked(std::string_view name, H5Kind expected) const {
    const Parent parent = find_parent(id_.get(), name);
    if (parent.kind != expected)
        throw core::FormatError({file(), child_path(name), std::string(to_string(expected)),
                                 std::string(to_string(parent.kind)), ""});
    H5Id id(expected == H5Kind::Group
                ? H5Gopen2(parent.id.get(), parent.name.c_str(), H5P_DEFAULT)
                : H5Dopen2(parent.id.get(), parent.name.c_str(), H5P_DEFAULT));
    if (id.get() < 0)
        throw core::FormatError({file(), child_path(name), std::string(to_string(expected)),
                                 detail::take_error_stack(), "the file is damaged"});
    return id;
}

H5Group H5Group::group(std::string_view name) const {
    return {state_, open_checked(name, H5Kind::Group), child_path(name)};
}

H5Dataset H5Group::dataset(std::string_view name) const {
    H5Dataset dataset(state_, open_checked(name, H5Kind::Dataset), child_path(name));
    dataset.refuse_foreign_storage();
    return dataset;
}

H5Group H5Group::create_group(std::string_view name) {
    core::check(split_path(name).size() == 1, "groups are created one level at a time");
    const H5Id creation(H5Pcreate(H5P_GROUP_CREATE));
    H5Pset_obj_track_times(creation.get(), 0);
    H5Id id(checked_write(
        *state_,
        H5Gcreate2(id_.get(), std::string(name).c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
        fmt::format("create group {} in", child_path(name))));
    return {state_, std::move(id), child_path(name)};
}

H5Group H5Group::require_group(std::string_view name) {
    return kind(name) == H5Kind::Missing ? create_group(name) : group(name);
}

H5Dataset H5Group::create_dataset(std::string_view name, H5Type type,
                                  std::span<const std::int64_t> shape, const H5Storage& storage) {
    core::check(split_path(name).size() == 1, "datasets are created in their own group");
    const H5Id creation(H5Pcreate(H5P_DATASET_CREATE));
    H5Pset_obj_track_times(creation.get(), 0);
    std::vector<hsize_t> max_shape;
    if (!storage.chunk.empty()) {
        core::check(storage.chunk.size() == shape.size(), "a chunk has the dataset's dimensions");
        const auto chunk = detail::to_hsize(storage.chunk);
        max_shape = detail::to_hsize(shape);
        max_shape[0] = H5S_UNLIMITED;
        checked_write(*state_,
                      H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()),
                      "set chunks of");
        if (storage.gzip > 0) {
            H5Pset_shuffle(creation.get());
            H5Pset_deflate(creation.get(), static_cast<unsigned>(storage.gzip));
        }
    }
    const H5Id element = detail::make_type(type);
    const H5Id space = detail::make_space(detail::to_hsize(shape), max_shape);
    H5Id id(checked_write(*state_,
                          H5Dcreate2(id_.get(), std::string(name).c_str(), element.get(),
                                     space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                          fmt::format("create dataset {} in", child_path(name))));
    return {state_, std::move(id), child_path(name)};
}

void H5Group::remove(std::string_view name) {
    checked_write(*state_, H5Ldelete(id_.get(), std::string(name).c_str(), H5P_DEFAULT),
                  fmt::format("remove {} from", child_path(name)));
}

H5Dataset H5Group::write_bools(std::string_view name, std::span<const std::uint8_t> values,
                               const H5Storage& storage) {
    const auto size = static_cast<std::int64_t>(values.size());
    H5Dataset dataset = create_dataset(name, H5Type::Bool, std::span(&size, 1), storage);
    dataset.write(values);
    return dataset;
}

H5Dataset H5Group::write_bool_scalar(std::string_view name, bool value) {
    H5Dataset dataset = create_dataset(name, H5Type::Bool, {});
    const std::uint8_t byte = value ? 1 : 0;
    dataset.write(std::span<const std::uint8_t>(&byte, 1));
    return dataset;
}

H5Dataset H5Group::write_texts(std::string_view name, std::span<const std::string> texts) {
    const auto size = static_cast<std::int64_t>(texts.size());
    H5Dataset dataset = create_dataset(name, H5Type::Text, std::span(&size, 1));
    dataset.write_texts(texts);
    return dataset;
}

H5Dataset H5Group::write_text(std::string_view name, const std::string& text) {
    H5Dataset dataset = create_dataset(name, H5Type::Text, {});
    dataset.write_texts(std::span(&text, 1));
    return dataset;
}

}  // namespace smeta::io
