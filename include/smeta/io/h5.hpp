#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/core/error.hpp"

/// RAII over HDF5 without hdf5.h. HDF5 is not thread-safe: only the main thread calls anything
/// here.
///
/// Files are opened as untrusted: soft, external and user-defined links, groups with several links,
/// virtual datasets, external storage and filters that need a plugin are refused, and a dataset
/// that declares far more than it stores is not allocated. Errors: IoError where the operating
/// system refused (missing file, disk full), FormatError (file, object, expected, found, hint)
/// where the content is wrong; the text of HDF5's own error stack is part of the message.
namespace smeta::io {

/// A write to a file that is open on all ranks failed; h5_is_broken() from then on. Thrown on every
/// rank.
class ParallelWriteError : public core::IoError {
  public:
    using core::IoError::IoError;
};

/// Whether a write failed after which HDF5 could not close a file in this process. It tries again
/// inside MPI_Finalize and crashes: the executable then ends the job with Comm::abort. Local.
bool h5_is_broken() noexcept;

/// Element types. Bool is the enum {FALSE = 0, TRUE = 1} over int8 that h5py writes; Other is
/// anything not listed.
enum class H5Type {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float16,
    Float32,
    Float64,
    Bool,
    Text,
    Compound,
    Other
};
std::string_view to_string(H5Type type);
bool is_integer(H5Type type);
bool is_float(H5Type type);

template <class T>
concept H5Number = std::same_as<T, float> || std::same_as<T, double> ||
    std::same_as<T, std::int8_t> || std::same_as<T, std::int16_t> ||
    std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t> ||
    std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t> ||
    std::same_as<T, std::uint32_t> || std::same_as<T, std::uint64_t>;

template <H5Number T>
constexpr H5Type h5_type() {
    if constexpr (std::same_as<T, float>) return H5Type::Float32;
    if constexpr (std::same_as<T, double>) return H5Type::Float64;
    if constexpr (std::same_as<T, std::int8_t>) return H5Type::Int8;
    if constexpr (std::same_as<T, std::int16_t>) return H5Type::Int16;
    if constexpr (std::same_as<T, std::int32_t>) return H5Type::Int32;
    if constexpr (std::same_as<T, std::int64_t>) return H5Type::Int64;
    if constexpr (std::same_as<T, std::uint8_t>) return H5Type::UInt8;
    if constexpr (std::same_as<T, std::uint16_t>) return H5Type::UInt16;
    if constexpr (std::same_as<T, std::uint32_t>) return H5Type::UInt32;
    if constexpr (std::same_as<T, std::uint64_t>) return H5Type::UInt64;
}

/// What a link in a group leads to. Soft, external and user-defined links and groups with several
/// links (one may lie inside itself) are Refused: opening one throws.
enum class H5Kind { Missing, Group, Dataset, Refused };

/// How a dataset is stored.
struct H5Storage {
    std::vector<std::int64_t>
        chunk;  ///< one entry a dimension; empty: contiguous, not resizable, not compressed
    int gzip =
        1;  ///< level with the shuffle filter before it; 0 = neither. Ignored when contiguous
    static H5Storage contiguous() { return {}; }
    static H5Storage chunked(std::vector<std::int64_t> shape, int gzip_level = 1) {
        return {std::move(shape), gzip_level};
    }
};

namespace detail {
struct H5FileState;
/// Owns one HDF5 identifier; move-only.
class H5Id {
  public:
    H5Id() = default;
    explicit H5Id(std::int64_t id) : id_(id) {}
    ~H5Id() { reset(); }
    H5Id(H5Id&& other) noexcept : id_(other.id_) { other.id_ = -1; }
    H5Id& operator=(H5Id&& other) noexcept;
    std::int64_t get() const { return id_; }
    /// Closes; false when HDF5 reports a failure.
    bool reset() noexcept;
    /// Gives up without closing.
    void release() noexcept { id_ = -1; }

  private:
    std::int64_t id_ = -1;
};
}  // namespace detail

/// What groups and datasets share: where they are and their attributes. An object keeps its file
/// open.
class H5Object {
  public:
    const std::string& file() const;                   ///< path of the file as given
    const std::string& path() const { return path_; }  ///< path inside the file, "/" for the root
    /// A FormatError about this object.
    core::FormatError error(std::string expected, std::string found, std::string hint = {}) const;

    bool has_attribute(std::string_view name) const;
    std::vector<std::string> attribute_names() const;
    /// Absent: nullopt. Of another type or shape: FormatError. Fixed and variable length, ASCII and
    /// UTF-8 are accepted.
    std::optional<std::string> text_attribute(std::string_view name) const;
    /// Any integer or boolean scalar (or array of one element).
    std::optional<std::int64_t> integer_attribute(std::string_view name) const;
    /// Any number, scalar (or array of one element).
    std::optional<double> number_attribute(std::string_view name) const;
    /// Any integers; a scalar gives one element.
    std::optional<std::vector<std::int64_t>> integers_attribute(std::string_view name) const;
    /// Text; a scalar gives one element; an empty array of any type gives none.
    std::optional<std::vector<std::string>> texts_attribute(std::string_view name) const;

    // Writing replaces an attribute of that name. Text becomes scalar variable-length UTF-8.
    void set_attribute(std::string_view name, std::string_view text);
    void set_attribute(std::string_view name, const char* text) {
        set_attribute(name, std::string_view(text));
    }
    void set_attribute(std::string_view name, std::int64_t value);
    void set_attribute(std::string_view name, int value) {
        set_attribute(name, static_cast<std::int64_t>(value));
    }
    void set_attribute(std::string_view name, double value);
    /// The HDF5 enum that h5py writes for booleans.
    void set_attribute(std::string_view name, bool value);
    void set_attribute(std::string_view name, std::span<const std::int64_t> values);
    void set_attribute(std::string_view name, std::span<const std::string> texts);
    /// Fixed-length bytes, as numpy's S type: what 10x files have and scanpy decodes.
    void set_bytes_attribute(std::string_view name, std::span<const std::string> texts);

  protected:
    H5Object(std::shared_ptr<detail::H5FileState> state, detail::H5Id id, std::string path);
    H5Object(H5Object&&) noexcept = default;
    H5Object& operator=(H5Object&&) noexcept = default;
    ~H5Object() = default;

    std::shared_ptr<detail::H5FileState> state_;  // declared before id_: the object closes first
    detail::H5Id id_;
    std::string path_;
};

/// An n-dimensional array of numbers or text. Move-only.
class H5Dataset : public H5Object {
  public:
    H5Dataset(H5Dataset&&) noexcept = default;
    H5Dataset& operator=(H5Dataset&&) noexcept = default;
    ~H5Dataset();

    H5Type type() const { return type_; }
    /// Empty for a scalar (and for a dataset without a dataspace: see is_null).
    const std::vector<std::int64_t>& shape() const { return shape_; }
    bool is_null() const { return null_; }
    /// Product of the shape.
    std::int64_t size() const;
    /// Empty when contiguous.
    std::vector<std::int64_t> chunk() const;

    /// The whole array in C order, converted to T (floats to T nearest, integers saturating).
    /// FormatError when it is text.
    template <H5Number T>
    std::vector<T> read() const {
        std::vector<T> values(checked_size(sizeof(T)));
        read_block(h5_type<T>(), {}, {}, values.data(), values.size());
        return values;
    }
    template <H5Number T>
    void read(std::span<T> values) const {
        read_block(h5_type<T>(), {}, {}, values.data(), values.size());
    }
    /// Entries [first, last) of the first dimension and all of the others. InvariantError when
    /// outside.
    template <H5Number T>
    void read_rows(std::int64_t first, std::int64_t last, std::span<T> values) const {
        const Block block = rows_block(first, last);
        read_block(h5_type<T>(), block.offset, block.count, values.data(), values.size());
    }
    template <H5Number T>
    std::vector<T> read_rows(std::int64_t first, std::int64_t last) const {
        const Block block = rows_block(first, last);
        std::vector<T> values(checked_size(sizeof(T), block));
        read_block(h5_type<T>(), block.offset, block.count, values.data(), values.size());
        return values;
    }
    /// A box of the array: offset and count have one entry a dimension.
    template <H5Number T>
    void read_box(std::span<const std::int64_t> offset, std::span<const std::int64_t> count,
                  std::span<T> values) const {
        read_block(h5_type<T>(), offset, count, values.data(), values.size());
    }
    /// Text of fixed or variable length; padding is cut. FormatError when not text or not UTF-8.
    std::vector<std::string> read_texts() const;
    std::vector<std::string> read_texts(std::int64_t first, std::int64_t last) const;
    /// Of a scalar (or one-element) dataset.
    std::string read_text() const;
    template <H5Number T>
    T read_scalar() const {
        if (size() != 1) throw error("one value", std::to_string(size()) + " values");
        return read<T>().at(0);
    }

    // Writing: T must be the dataset's own type (uint8 for Bool); convert in memory first.
    template <H5Number T>
    void write(std::span<const T> values) {
        write_block(h5_type<T>(), {}, {}, values.data(), values.size());
    }
    template <H5Number T>
    void write_rows(std::int64_t first, std::int64_t last, std::span<const T> values) {
        const Block block = rows_block(first, last);
        write_block(h5_type<T>(), block.offset, block.count, values.data(), values.size());
    }
    void write_texts(std::span<const std::string> texts);
    /// Changes the first dimension of a resizable dataset.
    void resize(std::int64_t rows);

    /// Every rank writes its own entries [first, last) of the first dimension (all of the other
    /// dimensions); ranges of ranks do not overlap, first == last writes nothing. The file was
    /// opened with a communicator and the dataset is chunked. Done in as many rounds as needed to
    /// stay below the limits of parallel HDF5 1.10.8: at most kMaxChunks chunks and, a rank, 256
    /// MiB a call. Collective. Throws as H5File::together.
    template <H5Number T>
    void write_rows_collective(std::int64_t first, std::int64_t last, std::span<const T> values) {
        write_collective(h5_type<T>(), first, last, values.data(), values.size());
    }
    /// HDF5 1.10.8 crashes when one collective filtered write touches 65,536 chunks.
    static constexpr std::int64_t kMaxChunks = 4096;
    /// With more chunks, written in any number of calls, its metadata cache crashes too (seen at
    /// 60,000; 33,000 pass); write_rows_collective refuses them with InvariantError.
    static constexpr std::int64_t kMaxDatasetChunks = 32768;

  private:
    friend class H5Group;
    struct Block {
        std::vector<std::int64_t> offset;
        std::vector<std::int64_t> count;
    };
    H5Dataset(std::shared_ptr<detail::H5FileState> state, detail::H5Id id, std::string path);
    void load_description();
    void refuse_foreign_storage() const;
    Block rows_block(std::int64_t first, std::int64_t last) const;
    std::size_t checked_size(std::size_t element_bytes) const;
    std::size_t checked_size(std::size_t element_bytes, const Block& block) const;
    void require_stored(std::int64_t bytes) const;
    void read_block(H5Type type, std::span<const std::int64_t> offset,
                    std::span<const std::int64_t> count, void* values, std::size_t size) const;
    void write_block(H5Type type, std::span<const std::int64_t> offset,
                     std::span<const std::int64_t> count, const void* values, std::size_t size);
    void write_collective(H5Type type, std::int64_t first, std::int64_t last, const void* values,
                          std::size_t size);
    /// What went wrong, empty if nothing.
    std::string write_collective_part(std::int64_t first, std::int64_t last, const void* values);
    std::vector<std::string> read_text_block(const Block& block) const;

    H5Type type_ = H5Type::Other;
    std::vector<std::int64_t> shape_;
    bool null_ = false;
};

/// A group. Names are single link names or paths "a/b" below it; every link on the way must be a
/// hard link. Move-only.
class H5Group : public H5Object {
  public:
    H5Group(H5Group&&) noexcept = default;
    H5Group& operator=(H5Group&&) noexcept = default;
    ~H5Group() = default;

    /// Link names in ascending bytewise order.
    std::vector<std::string> links() const;
    H5Kind kind(std::string_view name) const;
    bool has(std::string_view name) const { return kind(name) != H5Kind::Missing; }

    /// Open; FormatError when missing, of the other kind, or refused.
    H5Group group(std::string_view name) const;
    H5Dataset dataset(std::string_view name) const;

    /// Create; IoError when the name exists. Groups and datasets carry no time stamps: equal
    /// content, equal bytes.
    H5Group create_group(std::string_view name);
    /// Opens the group, creating it (one level) where missing.
    H5Group require_group(std::string_view name);
    H5Dataset create_dataset(std::string_view name, H5Type type,
                             std::span<const std::int64_t> shape,
                             const H5Storage& storage = H5Storage::contiguous());
    /// Removes a link; the space is not returned to the file system.
    void remove(std::string_view name);

    // Create, write, return the dataset.
    template <H5Number T>
    H5Dataset write(std::string_view name, std::span<const std::int64_t> shape,
                    std::span<const T> values, const H5Storage& storage = H5Storage::contiguous()) {
        H5Dataset dataset = create_dataset(name, h5_type<T>(), shape, storage);
        dataset.write(values);
        return dataset;
    }
    /// One-dimensional.
    template <H5Number T>
    H5Dataset write(std::string_view name, std::span<const T> values,
                    const H5Storage& storage = H5Storage::contiguous()) {
        const std::int64_t size = static_cast<std::int64_t>(values.size());
        return write(name, std::span(&size, 1), values, storage);
    }
    template <H5Number T>
    H5Dataset write(std::string_view name, const std::vector<T>& values,
                    const H5Storage& storage = H5Storage::contiguous()) {
        return write(name, std::span<const T>(values), storage);
    }
    template <H5Number T>
    H5Dataset write_scalar(std::string_view name, T value) {
        return write(name, std::span<const std::int64_t>(), std::span<const T>(&value, 1));
    }
    /// Enum {FALSE, TRUE} over int8; values are 0 or 1.
    H5Dataset write_bools(std::string_view name, std::span<const std::uint8_t> values,
                          const H5Storage& storage = H5Storage::contiguous());
    H5Dataset write_bool_scalar(std::string_view name, bool value);
    /// Variable-length UTF-8, one-dimensional or scalar.
    H5Dataset write_texts(std::string_view name, std::span<const std::string> texts);
    H5Dataset write_text(std::string_view name, const std::string& text);

  private:
    friend class H5File;
    H5Group(std::shared_ptr<detail::H5FileState> state, detail::H5Id id, std::string path)
        : H5Object(std::move(state), std::move(id), std::move(path)) {}
    std::string child_path(std::string_view name) const;
    core::FormatError missing(std::string_view name, std::string expected) const;
    detail::H5Id open_checked(std::string_view name, H5Kind expected) const;
};

struct H5CreateOptions {
    std::int64_t userblock = 0;  ///< bytes before the HDF5 data: 0 or a power of two from 512
};

/// An open file. `close` is the only way to learn that everything was written; a file that was
/// written and is destroyed without it is closed silently. No return code of HDF5 is proof of data
/// on disk: check by reopening (atomic_file.hpp).
class H5File {
  public:
    /// Replaces what is there. Oldest file format (readable from HDF5 1.8 on). Local.
    static H5File create(const std::string& path, H5CreateOptions options = {});
    static H5File open(const std::string& path);
    static H5File open_writable(const std::string& path);
    /// Through MPI-IO, for write_rows_collective. The same path on every rank. Collective.
    static H5File open_writable(const std::string& path, const comm::Comm& comm);
    static H5File open(const std::string& path, const comm::Comm& comm);

    H5File(H5File&&) noexcept = default;
    H5File& operator=(H5File&&) noexcept = default;
    ~H5File() = default;

    const std::string& path() const;
    H5Group root() const;
    /// Runs `work` on every rank that has the file open and votes: ParallelWriteError on all when
    /// it threw on any; comm::OutOfStepError on a rank that threw while others wait inside HDF5,
    /// and do not come to the vote within 20 s. The file was opened with a communicator, of which
    /// `work` contains no collective. Collective.
    void together(const std::function<void()>& work) const;
    /// Flushes and closes; every group and dataset must be gone. IoError when any write failed
    /// before or now. Collective where the file was opened with a communicator: then throws as
    /// `together`.
    void close();

  private:
    explicit H5File(std::shared_ptr<detail::H5FileState> state) : state_(std::move(state)) {}
    std::shared_ptr<detail::H5FileState> state_;
};

/// True when the file exists and has the HDF5 signature (also behind a user block).
bool is_hdf5(const std::string& path);

}  // namespace smeta::io
