#include <algorithm>
#include <cstring>

#include "h5_impl.hpp"

namespace smeta::io::detail {

namespace {

// The number that the HDF Group gave to h5py's filter.
constexpr H5Z_filter_t kLzf = 32000;
// Three bytes stand for at most 264.
constexpr std::size_t kLargestRatio = 88;

/// Unpacks the LZF format (liblzf): a control byte below 32 precedes that many + 1 literal bytes;
/// any other holds length and distance of a copy from what is already unpacked. Returns the bytes
/// written, 0 when the input is damaged or longer than `out_size`.
std::size_t unpack(const unsigned char* in, std::size_t in_size, unsigned char* out,
                   std::size_t out_size) {
    std::size_t at = 0;
    std::size_t done = 0;
    while (at < in_size) {
        const unsigned control = in[at++];
        if (control < 32) {
            const std::size_t length = control + 1;
            if (length > in_size - at || length > out_size - done) return 0;
            std::memcpy(out + done, in + at, length);
            at += length;
            done += length;
            continue;
        }
        std::size_t length = (control >> 5U) + 2;
        if (length == 9 && at < in_size) length += in[at++];
        if (at >= in_size) return 0;
        const std::size_t distance = ((control & 0x1FU) << 8U) + in[at++] + 1;
        if (distance > done || length > out_size - done) return 0;
        // The copy may overlap what it writes: byte by byte.
        for (std::size_t k = 0; k < length; ++k, ++done) out[done] = out[done - distance];
    }
    return done;
}

std::size_t filter(unsigned flags, std::size_t count, const unsigned* values, std::size_t bytes,
                   std::size_t* buffer_size, void** buffer) {
    if ((flags & H5Z_FLAG_REVERSE) == 0) return 0;
    // The third value is the chunk's size, but for variable-length text h5py states half of it.
    const std::size_t largest = bytes * kLargestRatio;
    const std::size_t stated = count >= 3 ? values[2] : 0;
    const std::size_t first =
        std::clamp<std::size_t>(stated, 64, std::max<std::size_t>(64, largest));
    for (std::size_t size = first; size < 2 * largest; size *= 2) {
        auto* unpacked = static_cast<unsigned char*>(H5allocate_memory(size, 0));
        if (unpacked == nullptr) return 0;
        const std::size_t done =
            unpack(static_cast<const unsigned char*>(*buffer), bytes, unpacked, size);
        if (done > 0) {
            H5free_memory(*buffer);
            *buffer = unpacked;
            *buffer_size = size;
            return done;
        }
        H5free_memory(unpacked);
    }
    return 0;
}

}  // namespace

void register_lzf() {
    const H5Z_class2_t description{H5Z_CLASS_T_VERS,  kLzf,    0,       1,
                                   "lzf (read only)", nullptr, nullptr, filter};
    core::check(H5Zregister(&description) >= 0, "HDF5 takes the LZF filter");
}

}  // namespace smeta::io::detail
