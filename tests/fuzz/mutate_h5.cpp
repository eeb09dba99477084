#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <vector>

#include <hdf5.h>

#include "mutate.hpp"

namespace smeta::fuzz {

namespace {

constexpr std::array<std::int64_t, 9> kIntegers = {0,
                                                   1,
                                                   -1,
                                                   2,
                                                   127,
                                                   std::numeric_limits<std::int32_t>::max(),
                                                   std::int64_t{1} << 40,
                                                   std::numeric_limits<std::int64_t>::max(),
                                                   std::numeric_limits<std::int64_t>::min()};
constexpr std::array<double, 8> kReals = {0,
                                          -1,
                                          0.5,
                                          1e300,
                                          -1e300,
                                          3e38,
                                          std::numeric_limits<double>::infinity(),
                                          std::numeric_limits<double>::quiet_NaN()};
constexpr std::size_t kLargest = 1 << 16;  // values of a dataset that is changed in place

struct Object {
    std::string path;
    bool is_group = false;
};

herr_t visit(hid_t, const char* name, const H5O_info_t* info, void* data) {
    const bool is_group = info->type == H5O_TYPE_GROUP;
    if (std::string(name) != ".")
        static_cast<std::vector<Object>*>(data)->push_back({std::string("/") + name, is_group});
    return 0;
}

/// All objects but the root, in ascending order.
std::vector<Object> objects(hid_t file) {
    std::vector<Object> found;
    H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit, &found, H5O_INFO_BASIC);
    return found;
}

hid_t text_type() {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/// A copy of some type that a stranger's file may have.
hid_t random_type(Random& random) {
    switch (random.below(10)) {
        case 0:
            return H5Tcopy(H5T_STD_I8LE);
        case 1:
            return H5Tcopy(H5T_STD_I64LE);
        case 2:
            return H5Tcopy(H5T_STD_U64BE);
        case 3:
            return H5Tcopy(H5T_IEEE_F32LE);
        case 4:
            return H5Tcopy(H5T_IEEE_F64LE);
        case 5:
            return text_type();
        case 6: {
            const hid_t type = H5Tcopy(H5T_C_S1);
            H5Tset_size(type, 1 + random.below(12));
            return type;
        }
        case 7: {
            const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
            H5Tinsert(type, "re", 0, H5T_IEEE_F32LE);
            H5Tinsert(type, "im", 4, H5T_IEEE_F32LE);
            return type;
        }
        case 8: {
            const hid_t type = H5Tenum_create(H5T_STD_I8LE);
            for (const auto& [name, value] : {std::pair("FALSE", 0), std::pair("TRUE", 1)}) {
                const auto stored = static_cast<std::int8_t>(value);
                H5Tenum_insert(type, name, &stored);
            }
            return type;
        }
        default:
            return random.one_in(2) ? H5Tvlen_create(H5T_STD_I32LE) : H5Tcreate(H5T_OPAQUE, 4);
    }
}

/// About `size` elements: the same number, one fewer or more, none, two dimensions, a scalar, null.
hid_t random_space(std::size_t size, Random& random) {
    const auto space = [](std::vector<hsize_t> shape) {
        return H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    };
    switch (random.below(8)) {
        case 0:
            return space({size + 1});
        case 1:
            return space({size > 0 ? size - 1 : 0});
        case 2:
            return space({0});
        case 3:
            return space({size, 1});
        case 4:
            return space({1, size});
        case 5:
            return H5Screate(random.one_in(2) ? H5S_SCALAR : H5S_NULL);
        default:
            return space({size});
    }
}

void write_values(hid_t object, hid_t type, hid_t space, Random& random,
                  herr_t (*write)(hid_t, hid_t, const void*)) {
    const auto count =
        static_cast<std::size_t>(std::max<hssize_t>(H5Sget_simple_extent_npoints(space), 0));
    if (count == 0 || count > kLargest) return;
    static const std::vector<std::string> kTexts = {"",    "a", "csr_matrix", "dict", "\xFF\xFE",
                                                    "a/b", ".", "1e400",      "-1"};
    if (H5Tis_variable_str(type) > 0) {
        std::vector<const char*> texts(count);
        for (auto& text : texts) text = random.pick(kTexts).c_str();
        write(object, type, texts.data());
    } else if (H5Tget_class(type) == H5T_FLOAT) {
        std::vector<double> values(count);
        for (double& value : values) value = random.pick(kReals);
        write(object, H5T_NATIVE_DOUBLE, values.data());
    } else if (H5Tget_class(type) == H5T_INTEGER) {
        std::vector<std::int64_t> values(count);
        for (auto& value : values) value = random.pick(kIntegers);
        write(object, H5T_NATIVE_INT64, values.data());
    } else if (H5Tget_class(type) != H5T_VLEN) {
        std::string bytes(count * H5Tget_size(type), '\0');
        for (char& byte : bytes) byte = static_cast<char>(random.next());
        write(object, type, bytes.data());
    }
}

herr_t write_dataset(hid_t object, hid_t type, const void* values) {
    return H5Dwrite(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
}
herr_t write_attribute(hid_t object, hid_t type, const void* values) {
    return H5Awrite(object, type, values);
}

/// A dataset in place of what was there, sometimes chunked with a vast shape and nothing stored.
void replace_dataset(hid_t file, const std::string& path, std::size_t size, Random& random) {
    H5Ldelete(file, path.c_str(), H5P_DEFAULT);
    const hid_t type = random_type(random);
    const bool vast = random.one_in(6);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = -1;
    if (vast) {
        const std::array<hsize_t, 2> shape = {hsize_t{1} << random.below(60), 1 + random.below(3)};
        const int rank = 1 + static_cast<int>(random.below(2));
        const std::array<hsize_t, 2> chunk = {16, 1};
        space = H5Screate_simple(rank, shape.data(), nullptr);
        H5Pset_chunk(creation, rank, chunk.data());
    } else {
        space = random_space(size, random);
    }
    const hid_t made =
        H5Dcreate2(file, path.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (made >= 0 && !vast) write_values(made, type, space, random, write_dataset);
    H5Dclose(made);
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
}

std::size_t size_of(hid_t dataset) {
    const hid_t space = H5Dget_space(dataset);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    H5Sclose(space);
    return static_cast<std::size_t>(std::max<hssize_t>(count, 0));
}

/// Some values of a dataset of numbers, with its type and shape kept.
void change_values(hid_t dataset, Random& random) {
    const std::size_t count = size_of(dataset);
    const hid_t type = H5Dget_type(dataset);
    const H5T_class_t kind = H5Tget_class(type);
    H5Tclose(type);
    if (count == 0 || count > kLargest) return;
    const auto change = [&](auto& values, hid_t memory, const auto& extremes) {
        H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        for (std::size_t times = 1 + random.below(3); times > 0; --times)
            values[random.below(count)] =
                random.one_in(2) ? values[random.below(count)] : random.pick(extremes);
        H5Dwrite(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    };
    if (kind == H5T_FLOAT) {
        std::vector<double> values(count);
        change(values, H5T_NATIVE_DOUBLE, kReals);
    } else if (kind == H5T_INTEGER) {
        std::vector<std::int64_t> values(count);
        change(values, H5T_NATIVE_INT64, kIntegers);
    }
}

/// Stored bytes of the first chunk, filters and all.
void change_chunk(hid_t dataset, Random& random) {
    hsize_t bytes = 0;
    const std::array<hsize_t, 8> origin{};
    if (H5Dget_chunk_storage_size(dataset, origin.data(), &bytes) < 0 || bytes == 0 ||
        bytes > (1 << 20))
        return;
    std::string stored(bytes, '\0');
    std::uint32_t filters = 0;
    H5Dread_chunk(dataset, H5P_DEFAULT, origin.data(), &filters, stored.data());
    mutate_bytes(stored, random);
    if (random.one_in(4)) filters = static_cast<std::uint32_t>(random.below(4));
    H5Dwrite_chunk(dataset, H5P_DEFAULT, filters, origin.data(), stored.size(), stored.data());
}

void change_extent(hid_t dataset, Random& random) {
    const hid_t space = H5Dget_space(dataset);
    std::vector<hsize_t> shape(
        static_cast<std::size_t>(std::max(H5Sget_simple_extent_ndims(space), 0)));
    H5Sget_simple_extent_dims(space, shape.data(), nullptr);
    H5Sclose(space);
    if (shape.empty()) return;
    hsize_t& extent = shape[random.below(shape.size())];
    const std::array<hsize_t, 4> others = {0, extent + 1, extent / 2,
                                           hsize_t{1} << random.below(62)};
    extent = random.pick(others);
    H5Dset_extent(dataset, shape.data());
}

void change_dataset(hid_t file, const std::string& path, Random& random) {
    const hid_t dataset = H5Dopen2(file, path.c_str(), H5P_DEFAULT);
    const std::size_t size = size_of(dataset);
    const std::size_t what = random.below(6);
    if (what < 3)
        change_values(dataset, random);
    else if (what == 3)
        change_chunk(dataset, random);
    else if (what == 4)
        change_extent(dataset, random);
    H5Dclose(dataset);
    if (what == 5) replace_dataset(file, path, size, random);
}

std::vector<std::string> attribute_names(hid_t object) {
    std::vector<std::string> names;
    const auto add = [](hid_t, const char* name, const H5A_info_t*, void* data) -> herr_t {
        static_cast<std::vector<std::string>*>(data)->emplace_back(name);
        return 0;
    };
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names);
    return names;
}

void change_attribute(hid_t file, const std::string& path, Random& random) {
    const hid_t object = H5Oopen(file, path.c_str(), H5P_DEFAULT);
    const auto names = attribute_names(object);
    if (!names.empty()) {
        const std::string& name = random.pick(names);
        const hid_t old = H5Aopen(object, name.c_str(), H5P_DEFAULT);
        const hid_t old_space = H5Aget_space(old);
        const hid_t old_type = H5Aget_type(old);
        H5Aclose(old);
        H5Adelete(object, name.c_str());
        if (!random.one_in(4)) {
            const bool same = random.one_in(2);
            const hid_t type = same ? H5Tcopy(old_type) : random_type(random);
            const hid_t space = same ? H5Scopy(old_space) : random_space(2, random);
            const hid_t made =
                H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
            if (made >= 0) write_values(made, type, space, random, write_attribute);
            H5Aclose(made);
            H5Sclose(space);
            H5Tclose(type);
        }
        H5Tclose(old_type);
        H5Sclose(old_space);
    }
    H5Oclose(object);
}

void change_link(hid_t file, const std::string& path, const std::string& other, Random& random) {
    const std::size_t what = random.below(6);
    if (what == 0) {
        H5Lmove(file, path.c_str(), file, (path + "x").c_str(), H5P_DEFAULT, H5P_DEFAULT);
        return;
    }
    const hid_t target = H5Oopen(file, other.c_str(), H5P_DEFAULT);
    H5Ldelete(file, path.c_str(), H5P_DEFAULT);
    if (what == 1) H5Lcreate_soft(other.c_str(), file, path.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    if (what == 2)
        H5Lcreate_external("other.h5", "/", file, path.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    // A group inside itself, a dataset under a second name.
    if (what == 3)
        H5Lcreate_hard(file, other.c_str(), file, path.c_str(), H5P_DEFAULT, H5P_DEFAULT);
    if (what == 4) H5Gclose(H5Gcreate2(file, path.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Oclose(target);
}

/// The path of a group that holds `path`: the nearest or any further one.
std::string ancestor(const std::string& path, Random& random) {
    std::string above = path;
    do {
        above.resize(above.rfind('/'));
    } while (!above.empty() && random.one_in(2));
    return above.empty() ? "/" : above;
}

}  // namespace

std::string mutate_h5(const std::filesystem::path& path, Random& random) {
    std::string done;
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    if (file < 0) return "not opened";
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    for (std::size_t times = 1 + random.below(3); times > 0; --times) {
        const auto all = objects(file);
        if (all.empty()) break;
        const Object& object = random.pick(all);
        const std::size_t what = random.below(6);
        if (what < 3 && !object.is_group) {
            done += " dataset " + object.path;
            change_dataset(file, object.path, random);
        } else if (what < 5) {
            const std::string owner = random.one_in(8) ? "/" : object.path;
            done += " attribute of " + owner;
            change_attribute(file, owner, random);
        } else {
            const std::string other =
                random.one_in(2) ? ancestor(object.path, random) : random.pick(all).path;
            done += " link " + object.path;
            change_link(file, object.path, other, random);
        }
    }
    H5Fclose(file);
    return done;
}

}  // namespace smeta::fuzz
