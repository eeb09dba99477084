#include <algorithm>
#include <cstring>

#include "h5_impl.hpp"

namespace smeta::io {

std::string_view to_string(H5Type type) {
    switch (type) {
        case H5Type::Int8:
            return "int8";
        case H5Type::Int16:
            return "int16";
        case H5Type::Int32:
            return "int32";
        case H5Type::Int64:
            return "int64";
        case H5Type::UInt8:
            return "uint8";
        case H5Type::UInt16:
            return "uint16";
        case H5Type::UInt32:
            return "uint32";
        case H5Type::UInt64:
            return "uint64";
        case H5Type::Float16:
            return "float16";
        case H5Type::Float32:
            return "float32";
        case H5Type::Float64:
            return "float64";
        case H5Type::Bool:
            return "bool";
        case H5Type::Text:
            return "text";
        case H5Type::Compound:
            return "compound";
        case H5Type::Other:
            break;
    }
    return "another type";
}

bool is_integer(H5Type type) {
    return type <= H5Type::UInt64;
}

bool is_float(H5Type type) {
    return type >= H5Type::Float16 && type <= H5Type::Float64;
}

namespace detail {

namespace {

hid_t native_type(H5Type type) {
    switch (type) {
        case H5Type::Int8:
            return H5T_STD_I8LE;
        case H5Type::Int16:
            return H5T_STD_I16LE;
        case H5Type::Int32:
            return H5T_STD_I32LE;
        case H5Type::Int64:
            return H5T_STD_I64LE;
        case H5Type::UInt8:
            return H5T_STD_U8LE;
        case H5Type::UInt16:
            return H5T_STD_U16LE;
        case H5Type::UInt32:
            return H5T_STD_U32LE;
        case H5Type::UInt64:
            return H5T_STD_U64LE;
        case H5Type::Float32:
            return H5T_IEEE_F32LE;
        case H5Type::Float64:
            return H5T_IEEE_F64LE;
        default:
            return -1;
    }
}

H5Type integer_type(hid_t type) {
    const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
    switch (H5Tget_size(type)) {
        case 1:
            return is_signed ? H5Type::Int8 : H5Type::UInt8;
        case 2:
            return is_signed ? H5Type::Int16 : H5Type::UInt16;
        case 4:
            return is_signed ? H5Type::Int32 : H5Type::UInt32;
        case 8:
            return is_signed ? H5Type::Int64 : H5Type::UInt64;
        default:
            return H5Type::Other;
    }
}

bool is_bool_enum(hid_t type) {
    if (H5Tget_nmembers(type) != 2) return false;
    const H5Id base(H5Tget_super(type));
    if (H5Tget_class(base.get()) != H5T_INTEGER || H5Tget_size(base.get()) != 1) return false;
    for (unsigned i = 0; i < 2; ++i) {
        std::int8_t value = 0;
        if (H5Tget_member_value(type, i, &value) < 0) return false;
        char* name = H5Tget_member_name(type, i);
        const bool matches =
            name != nullptr && std::strcmp(name, value != 0 ? "TRUE" : "FALSE") == 0;
        H5free_memory(name);
        if (!matches) return false;
    }
    return true;
}

std::string_view cut_padding(const char* text, std::size_t size, H5T_str_t padding) {
    const std::string_view whole(text, size);
    if (padding == H5T_STR_SPACEPAD) {
        const auto last = whole.find_last_not_of(std::string_view(" \0", 2));
        return whole.substr(0, last == std::string_view::npos ? 0 : last + 1);
    }
    return whole.substr(0, std::min(whole.find('\0'), size));
}

}  // namespace

H5Id make_type(H5Type type) {
    if (type == H5Type::Text) {
        H5Id text(H5Tcopy(H5T_C_S1));
        H5Tset_size(text.get(), H5T_VARIABLE);
        H5Tset_cset(text.get(), H5T_CSET_UTF8);
        return text;
    }
    if (type == H5Type::Bool) {
        H5Id boolean(H5Tenum_create(H5T_STD_I8LE));
        const std::int8_t no = 0;
        const std::int8_t yes = 1;
        H5Tenum_insert(boolean.get(), "FALSE", &no);
        H5Tenum_insert(boolean.get(), "TRUE", &yes);
        return boolean;
    }
    const hid_t native = native_type(type);
    core::check(native >= 0, "an element type that can be written");
    return H5Id(H5Tcopy(native));
}

H5Type classify_type(hid_t type) {
    switch (H5Tget_class(type)) {
        case H5T_INTEGER:
            return integer_type(type);
        case H5T_FLOAT:
            switch (H5Tget_size(type)) {
                case 2:
                    return H5Type::Float16;
                case 4:
                    return H5Type::Float32;
                case 8:
                    return H5Type::Float64;
                default:
                    return H5Type::Other;
            }
        case H5T_STRING:
            return H5Type::Text;
        case H5T_ENUM:
            return is_bool_enum(type) ? H5Type::Bool : H5Type::Other;
        case H5T_COMPOUND:
            return H5Type::Compound;
        default:
            return H5Type::Other;
    }
}

std::vector<hsize_t> to_hsize(std::span<const std::int64_t> values) {
    return {values.begin(), values.end()};
}

H5Id make_space(const std::vector<hsize_t>& shape, const std::vector<hsize_t>& max_shape) {
    H5Id space(shape.empty() ? H5Screate(H5S_SCALAR)
                             : H5Screate_simple(static_cast<int>(shape.size()), shape.data(),
                                                max_shape.empty() ? nullptr : max_shape.data()));
    core::check(space.get() >= 0, "HDF5 makes a dataspace");
    return space;
}

bool is_utf8(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto lead = static_cast<unsigned char>(text[at]);
        const std::size_t more = lead < 0x80   ? 0
                                 : lead < 0xC2 ? 9
                                 : lead < 0xE0 ? 1
                                 : lead < 0xF0 ? 2
                                 : lead < 0xF5 ? 3
                                               : 9;
        if (more == 9 || at + more >= text.size()) return false;
        for (std::size_t k = 1; k <= more; ++k)
            if ((static_cast<unsigned char>(text[at + k]) & 0xC0U) != 0x80U) return false;
        if (more >= 2) {
            const auto second = static_cast<unsigned char>(text[at + 1]);
            // Overlong forms, surrogates and code points above U+10FFFF.
            if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
                return false;
        }
        at += more + 1;
    }
    return true;
}

std::vector<std::string> read_text_elements(
    const H5Object& owner, hid_t file_type, hid_t space, std::size_t count,
    const std::function<herr_t(hid_t memory_type, void* buffer)>& read) {
    const auto failed = [&] {
        return owner.error("readable text", take_error_stack(), "the file is damaged");
    };
    std::vector<std::string> texts(count);
    const H5Id memory_type(H5Tcopy(H5T_C_S1));
    H5Tset_cset(memory_type.get(), H5Tget_cset(file_type));  // HDF5 does not convert between sets
    if (H5Tis_variable_str(file_type) > 0) {
        H5Tset_size(memory_type.get(), H5T_VARIABLE);
        std::vector<char*> pointers(count, nullptr);
        if (read(memory_type.get(), pointers.data()) < 0) throw failed();
        for (std::size_t i = 0; i < count; ++i)
            if (pointers[i] != nullptr) texts[i] = pointers[i];
        H5Dvlen_reclaim(memory_type.get(), space, H5P_DEFAULT, pointers.data());
    } else {
        const std::size_t size = H5Tget_size(file_type);
        H5Tset_size(memory_type.get(), size);
        H5Tset_strpad(memory_type.get(), H5Tget_strpad(file_type));
        std::vector<char> buffer(count * size);
        if (read(memory_type.get(), buffer.data()) < 0) throw failed();
        for (std::size_t i = 0; i < count; ++i)
            texts[i] = cut_padding(buffer.data() + i * size, size, H5Tget_strpad(file_type));
    }
    for (std::size_t i = 0; i < count; ++i)
        if (!is_utf8(texts[i]))
            throw owner.error("UTF-8 text", "other bytes in entry " + std::to_string(i),
                              "write the file again with UTF-8 strings");
    return texts;
}

}  // namespace detail

}  // namespace smeta::io
