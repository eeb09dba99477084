#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smeta/io/h5.hpp"

#include "../comm/checked.hpp"
#include "h5_impl.hpp"

namespace smeta::io {

namespace detail {

void initialise() {
    static std::once_flag once;
    std::call_once(once, [] {
        core::check(H5open() >= 0, "HDF5 starts");
        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
        H5PLset_loading_state(0);  // a file must not make us load code
        register_lzf();
    });
}

namespace {

std::atomic<bool> library_broken{false};

/// HDF5's drivers describe a refused call as "..., errno = 28, error message = 'No space left on
/// device', buf = 0x..., ...".
std::string system_reason(const std::string& text) {
    constexpr std::string_view kBefore = "error message = '";
    const auto at = text.find(kBefore);
    if (at == std::string::npos) return {};
    const auto first = at + kBefore.size();
    return text.substr(first, text.find('\'', first) - first);
}

}  // namespace

void note_broken() noexcept {
    library_broken = true;
}

std::string take_error_stack() {
    std::vector<std::string> lines;
    const H5E_walk2_t collect = [](unsigned, const H5E_error2_t* error, void* data) -> herr_t {
        if (error->desc != nullptr && error->desc[0] != '\0')
            static_cast<std::vector<std::string>*>(data)->emplace_back(error->desc);
        return 0;
    };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, collect, &lines);
    H5Eclear2(H5E_DEFAULT);
    std::string text;
    for (const auto& line : lines) {
        if (!text.empty()) text += "; ";
        text += line;
    }
    return text;
}

std::string take_write_problem() {
    const std::string text = take_error_stack();
    const std::string reason = system_reason(text);
    return reason.empty() ? text : reason;
}

void throw_io_error(const std::string& file, std::string_view what) {
    throw core::IoError(fmt::format("cannot {} {}: {}", what, file, take_write_problem()));
}

H5FileState::~H5FileState() {
    // After a failed collective write closing can crash: the identifier is left to the end of the
    // process.
    const bool broken = failed && communicator.has_value();
    if (id < 0) return;
    if (broken || H5Fclose(id) < 0) note_broken();
    H5Eclear2(H5E_DEFAULT);
}

void H5FileState::fail(std::string_view what) {
    failed = true;
    throw_io_error(path, what);
}

H5Id& H5Id::operator=(H5Id&& other) noexcept {
    if (this != &other) {
        reset();
        id_ = other.id_;
        other.id_ = -1;
    }
    return *this;
}

bool H5Id::reset() noexcept {
    if (id_ < 0) return true;
    const bool closed = H5Idec_ref(id_) >= 0;
    if (!closed) H5Eclear2(H5E_DEFAULT);
    id_ = -1;
    return closed;
}

}  // namespace detail

namespace {

using detail::checked_write;
using detail::H5FileState;
using detail::H5Id;

H5Id access_list(const std::optional<comm::Comm>& communicator) {
    H5Id list(H5Pcreate(H5P_FILE_ACCESS));
    core::check(list.get() >= 0, "HDF5 makes a file access list");
    H5Pset_fclose_degree(list.get(), H5F_CLOSE_SEMI);
    H5Pset_libver_bounds(list.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    if (communicator)
        core::check(H5Pset_fapl_mpio(list.get(), comm::mpi_handle(communicator->native()),
                                     MPI_INFO_NULL) >= 0,
                    "HDF5 takes the communicator");
    return list;
}

std::string first_bytes(const std::string& path) {
    std::array<unsigned char, 8> bytes{};
    std::size_t count = 0;
    if (FILE* file = std::fopen(path.c_str(), "rb"); file != nullptr) {
        count = std::fread(bytes.data(), 1, bytes.size(), file);
        std::fclose(file);
    }
    if (count == 0) return "an empty file";
    std::string text = "first bytes";
    for (std::size_t i = 0; i < count; ++i) text += fmt::format(" {:02x}", bytes[i]);
    return text;
}

// What HDF5 says badly: missing files, folders, permissions, files that are not HDF5.
void require_hdf5(const std::string& path, int access_mode) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) throw core::IoError::from_errno("open", path, errno);
    if (S_ISDIR(info.st_mode)) throw core::IoError::from_errno("open", path, EISDIR);
    if (::access(path.c_str(), access_mode) != 0)
        throw core::IoError::from_errno("open", path, errno);
    if (is_hdf5(path)) return;
    throw core::FormatError({path, "", "an HDF5 file", first_bytes(path),
                             "give an .h5, .h5ad or .h5mu file; copy it again if it was cut"});
}

[[noreturn]] void throw_open_error(const std::string& path) {
    const std::string text = detail::take_error_stack();
    if (text.find("lock") != std::string::npos && text.find("errno") != std::string::npos)
        throw core::IoError(
            fmt::format("cannot open {}: another process is writing it ({})", path, text));
    throw core::FormatError({path, "", "a whole HDF5 file", text,
                             "the file is truncated or damaged: copy or create it again"});
}

std::shared_ptr<H5FileState> open_state(const std::string& path, unsigned flags,
                                        std::optional<comm::Comm> communicator) {
    detail::initialise();
    auto state = std::make_shared<H5FileState>();
    state->path = path;
    state->writable = flags == H5F_ACC_RDWR;
    state->communicator = std::move(communicator);
    const auto open = [&] { require_hdf5(path, state->writable ? W_OK | R_OK : R_OK); };
    if (state->communicator)
        state->communicator->all_or_throw(open);
    else
        open();
    const H5Id list = access_list(state->communicator);
    state->id = H5Fopen(path.c_str(), flags, list.get());
    if (!state->communicator) {
        if (state->id < 0) throw_open_error(path);
    } else {
        state->communicator->all_or_throw([&] {
            if (state->id < 0) throw_open_error(path);
        });
    }
    return state;
}

}  // namespace

bool h5_is_broken() noexcept {
    return detail::library_broken;
}

bool is_hdf5(const std::string& path) {
    detail::initialise();
    const bool result = H5Fis_hdf5(path.c_str()) > 0;
    H5Eclear2(H5E_DEFAULT);
    return result;
}

H5File H5File::create(const std::string& path, H5CreateOptions options) {
    detail::initialise();
    auto state = std::make_shared<H5FileState>();
    state->path = path;
    state->writable = true;
    const H5Id creation(H5Pcreate(H5P_FILE_CREATE));
    core::check(H5Pset_userblock(creation.get(), options.userblock) >= 0,
                "the user block is 0 or a power of two from 512");
    H5Pset_obj_track_times(creation.get(), 0);
    const H5Id list = access_list({});
    // HDF5's own message for a missing folder or a read-only one hides the reason.
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) throw core::IoError::from_errno("create", path, errno);
    ::close(descriptor);
    state->id = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), list.get());
    if (state->id < 0) detail::throw_io_error(path, "create");
    return H5File(std::move(state));
}

H5File H5File::open(const std::string& path) {
    return H5File(open_state(path, H5F_ACC_RDONLY, {}));
}

H5File H5File::open_writable(const std::string& path) {
    return H5File(open_state(path, H5F_ACC_RDWR, {}));
}

H5File H5File::open_writable(const std::string& path, const comm::Comm& comm) {
    return H5File(open_state(path, H5F_ACC_RDWR, comm.duplicate()));
}

H5File H5File::open(const std::string& path, const comm::Comm& comm) {
    return H5File(open_state(path, H5F_ACC_RDONLY, comm.duplicate()));
}

const std::string& H5File::path() const {
    return state_->path;
}

H5Group H5File::root() const {
    H5Id id(H5Gopen2(state_->id, "/", H5P_DEFAULT));
    if (id.get() < 0)
        throw core::FormatError(
            {state_->path, "/", "a root group", detail::take_error_stack(), "the file is damaged"});
    return {state_, std::move(id), "/"};
}

void H5File::close() {
    core::check(state_ != nullptr && state_->id >= 0, "the file is open");
    H5FileState& state = *state_;
    const auto objects = static_cast<unsigned>(H5F_OBJ_DATASET) | H5F_OBJ_GROUP | H5F_OBJ_ATTR |
                         H5F_OBJ_DATATYPE | H5F_OBJ_LOCAL;
    core::check(H5Fget_obj_count(state.id, objects) == 0,
                "groups and datasets are gone before their file is closed");
    // The results of calls are votes where all ranks make them.
    const auto checked = [&](bool fine, const std::string& known = {}) {
        if (!state.communicator && fine) return;
        std::string text;
        if (!fine) text = known.empty() ? detail::take_write_problem() : known;
        if (state.communicator) return state.vote(text);
        state.failed = true;
        throw core::IoError(fmt::format("cannot write {}: {}", state.path, text));
    };
    checked(!state.failed, "an earlier write failed");
    if (state.writable) checked(H5Fflush(state.id, H5F_SCOPE_GLOBAL) >= 0);
    const bool closed = H5Fclose(state.id) >= 0;
    if (!closed) detail::note_broken();
    state.id = -1;
    checked(closed);
    state_.reset();
}

}  // namespace smeta::io
