#include "smeta/io/imzml.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"

#include "imzml_decode_impl.hpp"
#include "imzml_parser_impl.hpp"
#include "sha1_impl.hpp"

namespace smeta::io {

namespace {

constexpr std::int64_t kWindowBytes = 1 << 20;

/// The .ibd: reads through a window of 1 MiB, so that small spectra that follow each other cost one
/// system call.
class IbdFile {
  public:
    explicit IbdFile(std::string path) : path_(std::move(path)) {
        fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd_ < 0) throw core::IoError::from_errno("open", path_, errno);
        struct stat info;
        if (::fstat(fd_, &info) != 0) {
            const int code = errno;
            ::close(fd_);
            throw core::IoError::from_errno("read", path_, code);
        }
        bytes_ = info.st_size;
    }
    ~IbdFile() { ::close(fd_); }
    IbdFile(const IbdFile&) = delete;
    IbdFile& operator=(const IbdFile&) = delete;

    std::int64_t bytes() const { return bytes_; }
    const std::string& path() const { return path_; }

    /// Bytes [offset, offset + length), valid until the next call; the range lies inside the file.
    std::span<const std::byte> read(std::int64_t offset, std::int64_t length) {
        if (offset < begin_ ||
            offset + length > begin_ + static_cast<std::int64_t>(window_.size())) {
            window_.resize(std::max(length, std::min(kWindowBytes, bytes_ - offset)));
            begin_ = offset;
            fill();
        }
        return std::span<const std::byte>(window_).subspan(offset - begin_, length);
    }

  private:
    void fill() {
        std::size_t done = 0;
        while (done < window_.size()) {
            const ssize_t got = ::pread(fd_, window_.data() + done, window_.size() - done,
                                        begin_ + static_cast<std::int64_t>(done));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) {
                window_.clear();
                if (got < 0) throw core::IoError::from_errno("read", path_, errno);
                throw core::FormatError({path_, fmt::format("byte {}", begin_), "more bytes",
                                         "the end: it became shorter while it was read", ""});
            }
            done += got;
        }
    }

    std::string path_;
    int fd_ = -1;
    std::int64_t bytes_ = 0;
    std::int64_t begin_ = 0;
    std::vector<std::byte> window_;
};

std::string find_ibd(const std::string& imzml_path) {
    namespace fs = std::filesystem;
    const fs::path path(imzml_path);
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    std::vector<std::string> found;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(folder, code)) {
        std::string extension = entry.path().extension().string();
        std::transform(extension.begin(), extension.end(), extension.begin(),
                       [](unsigned char c) { return std::tolower(c); });
        if (extension == ".ibd" && entry.path().stem() == path.stem())
            found.push_back(entry.path().string());
    }
    if (found.empty())
        throw core::IoError(fmt::format("cannot open {}: the .ibd file of {} is not beside it",
                                        fs::path(path).replace_extension(".ibd").string(),
                                        imzml_path));
    return *std::min_element(found.begin(), found.end());
}

std::string to_hex(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte b : bytes) text += fmt::format("{:02x}", std::to_integer<int>(b));
    return text;
}

void check_pair(const ImzmlHeader& header, IbdFile& ibd, const std::string& path,
                const ImzmlOptions& options) {
    const auto differ = [&](const std::string& what, const std::string& expected,
                            const std::string& found) {
        if (options.uuid == UuidPolicy::Error)
            throw core::FormatError({path, what, expected + " as in the .imzML",
                                     fmt::format("{} in {}", found, ibd.path()),
                                     "the two files do not belong together; ingest.imzml_uuid = "
                                     "\"ignore\" reads them"});
        core::log_warning("{}: {} differs from that of {}", path, what, ibd.path());
    };
    if (ibd.bytes() < 16)
        throw core::FormatError({ibd.path(), "", "16 bytes of UUID and the spectra",
                                 fmt::format("{} bytes", ibd.bytes()), "is it whole?"});
    const std::string uuid = to_hex(ibd.read(0, 16));
    if (header.uuid.empty())
        core::log_warning("{}: no UUID, so nothing says that {} belongs to it", path, ibd.path());
    else if (header.uuid != uuid)
        differ("UUID", header.uuid, uuid);
    if (!options.verify_checksum || header.sha1.size() != 40) return;
    detail::Sha1 sha1;
    for (std::int64_t at = 0; at < ibd.bytes(); at += kWindowBytes)
        sha1.update(ibd.read(at, std::min(kWindowBytes, ibd.bytes() - at)));
    if (const std::string found = sha1.hex(); found != header.sha1)
        differ("SHA-1 checksum", header.sha1, found);
}

bool shares_mz(const std::vector<ImzmlSpectrum>& spectra) {
    return std::all_of(spectra.begin(), spectra.end(),
                       [&](const ImzmlSpectrum& s) { return s.mz == spectra.front().mz; });
}

}  // namespace

std::string_view polarity_name(Polarity polarity) {
    switch (polarity) {
        case Polarity::Positive:
            return "pos";
        case Polarity::Negative:
            return "neg";
        case Polarity::Unknown:
            break;
    }
    return "";
}

std::int64_t size_of(NumberType type) {
    switch (type) {
        case NumberType::Int8:
            return 1;
        case NumberType::Int16:
        case NumberType::Float16:
            return 2;
        case NumberType::Int32:
        case NumberType::Float32:
            return 4;
        case NumberType::Int64:
        case NumberType::Float64:
            return 8;
        case NumberType::Unknown:
            break;
    }
    return 0;
}

struct ImzmlReader::State {
    State(const std::string& imzml_path, const ImzmlOptions& options)
        : path(imzml_path), ibd((check_exists(imzml_path), find_ibd(imzml_path))) {
        detail::ParsedImzml parsed = detail::parse_imzml(path);
        header = std::move(parsed.header);
        spectra = std::move(parsed.spectra);
        check_arrays();  // before the pass over the .ibd: a truncated one is named as such
        check_pair(header, ibd, path, options);
        // Some writers declare continuous and store an m/z array a spectrum (MALDIquant issue 63):
        // the offsets decide.
        header.mode = shares_mz(spectra) && spectra.size() > 1 ? ImzmlMode::Continuous
                      : spectra.size() > 1                     ? ImzmlMode::Processed
                                                               : header.mode;
    }

    static void check_exists(const std::string& path) {
        if (::access(path.c_str(), R_OK) != 0) throw core::IoError::from_errno("open", path, errno);
    }

    void check_arrays() {
        detail::unwrap_offsets(spectra, &ImzmlSpectrum::mz, ibd.bytes());
        detail::unwrap_offsets(spectra, &ImzmlSpectrum::intensity, ibd.bytes());
        std::int64_t corrected = 0;
        for (std::size_t i = 0; i < spectra.size(); ++i) {
            const auto number = static_cast<std::int64_t>(i);
            corrected += detail::check_array(spectra[i].mz, ibd.bytes(), {path, number, "m/z"});
            corrected +=
                detail::check_array(spectra[i].intensity, ibd.bytes(), {path, number, "intensity"});
        }
        if (corrected > 0)
            core::log_warning(
                "{}: the declared number type of {} arrays contradicts their lengths; "
                "the lengths decide",
                path, corrected);
    }

    template <class R>
    void read_array(const ArrayRef& array, std::int64_t i, const char* what,
                    std::vector<R>& values) {
        detail::decode(array, ibd.read(array.offset, array.encoded_bytes), values, {path, i, what});
    }

    std::string path;
    IbdFile ibd;
    ImzmlHeader header;
    std::vector<ImzmlSpectrum> spectra;
    ArrayRef cached_ref;  ///< the m/z array in `cached`: continuous files have one for all spectra
    std::vector<double> cached;
};

ImzmlReader::ImzmlReader(const std::string& imzml_path, const ImzmlOptions& options)
    : state_(std::make_unique<State>(imzml_path, options)) {}
ImzmlReader::~ImzmlReader() = default;
ImzmlReader::ImzmlReader(ImzmlReader&&) noexcept = default;
ImzmlReader& ImzmlReader::operator=(ImzmlReader&&) noexcept = default;

const ImzmlHeader& ImzmlReader::header() const {
    return state_->header;
}
const std::vector<ImzmlSpectrum>& ImzmlReader::spectra() const {
    return state_->spectra;
}
std::int64_t ImzmlReader::ibd_bytes() const {
    return state_->ibd.bytes();
}

void ImzmlReader::read(std::int64_t i, Spectrum& spectrum) {
    read_mz(i, spectrum.mz);
    state_->read_array(state_->spectra[i].intensity, i, "intensity", spectrum.intensity);
}

void ImzmlReader::read_mz(std::int64_t i, std::vector<double>& mz) {
    State& s = *state_;
    core::check(i >= 0 && i < static_cast<std::int64_t>(s.spectra.size()),
                "a spectrum of the file");
    const ArrayRef& array = s.spectra[i].mz;
    if (s.header.mode != ImzmlMode::Continuous) return s.read_array(array, i, "m/z", mz);
    if (s.cached_ref != array || s.cached.empty()) {
        s.read_array(array, i, "m/z", s.cached);
        s.cached_ref = array;
    }
    mz = s.cached;
}

}  // namespace smeta::io
