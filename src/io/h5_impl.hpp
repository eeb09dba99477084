#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <hdf5.h>

#include "smeta/io/h5.hpp"

namespace smeta::io::detail {

/// Once a process: no printing of errors, no filter plug-ins.
void initialise();

/// Makes HDF5 read (not write) datasets that h5py packed with compression="lzf".
void register_lzf();

/// The messages on HDF5's error stack, outermost first, and clears it.
std::string take_error_stack();
/// The same of a failed write: the system's reason alone ("No space left on device") if there is
/// one.
std::string take_write_problem();

/// From here on h5_is_broken().
void note_broken() noexcept;

/// A failed call: its problem is appended. Local.
[[noreturn]] void throw_io_error(const std::string& file, std::string_view what);

struct H5FileState {
    std::string path;
    hid_t id = -1;
    bool writable = false;
    bool failed = false;                     ///< a write or close failed: never trust this file
    std::optional<comm::Comm> communicator;  ///< opened through MPI-IO

    H5FileState() = default;
    H5FileState(const H5FileState&) = delete;
    H5FileState& operator=(const H5FileState&) = delete;
    ~H5FileState();
    [[noreturn]] void fail(std::string_view what);
    /// What this rank met, empty if nothing: throws as H5File::together. Collective.
    void vote(const std::string& problem);
};

/// Fails as a write: marks the file and throws IoError.
inline hid_t checked_write(H5FileState& state, std::int64_t code, std::string_view what) {
    if (code < 0) state.fail(what);
    return code;
}

/// Native memory type; for Bool the enum over int8, for Text variable-length UTF-8 (both owned by
/// the caller).
H5Id make_type(H5Type type);
H5Type classify_type(hid_t type);
/// Scalar (empty shape) or simple dataspace; resizable: unlimited first dimension.
H5Id make_space(const std::vector<hsize_t>& shape, const std::vector<hsize_t>& max_shape = {});
std::vector<hsize_t> to_hsize(std::span<const std::int64_t> values);

/// Text elements of an object with element type `file_type`: `read` fills a buffer of the given
/// memory type; `space` is the memory dataspace of `count` elements. Padding is cut; FormatError of
/// `owner` when not UTF-8.
std::vector<std::string> read_text_elements(
    const H5Object& owner, hid_t file_type, hid_t space, std::size_t count,
    const std::function<herr_t(hid_t memory_type, void* buffer)>& read);

bool is_utf8(std::string_view text);

}  // namespace smeta::io::detail
