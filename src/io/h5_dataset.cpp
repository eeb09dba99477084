#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "smeta/io/h5.hpp"

#include "h5_impl.hpp"

namespace smeta::io {

using detail::checked_write;
using detail::H5Id;

namespace {

// Deflate cannot pack more than about 1,032 to 1.
constexpr std::int64_t kLargestRatio = 1100;
constexpr std::int64_t kSmallBytes = std::int64_t{1} << 20;

std::int64_t product(std::span<const std::int64_t> shape) {
    std::int64_t result = 1;
    for (const std::int64_t extent : shape) {
        if (extent != 0 && result > std::numeric_limits<std::int64_t>::max() / extent)
            return std::numeric_limits<std::int64_t>::max();
        result *= extent;
    }
    return result;
}

std::string shape_text(std::span<const std::int64_t> shape) {
    return fmt::format("({})", fmt::join(shape, ", "));
}

/// The dataset's own dataspace with a box selected (everything when `offset` is empty).
H5Id select_box(hid_t dataset, std::span<const std::int64_t> offset,
                std::span<const std::int64_t> count) {
    H5Id space(H5Dget_space(dataset));
    core::check(space.get() >= 0, "HDF5 gives the dataspace");
    if (!offset.empty()) {
        const auto start = detail::to_hsize(offset);
        const auto size = detail::to_hsize(count);
        core::check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr,
                                        size.data(), nullptr) >= 0,
                    "the box lies in the dataset");
    }
    return space;
}

/// What a box looks like in memory: of the same shape, since HDF5 goes through two selections of
/// different ranks element by element.
H5Id memory_of(std::span<const std::int64_t> shape, std::span<const std::int64_t> offset,
               std::span<const std::int64_t> count) {
    return detail::make_space(detail::to_hsize(offset.empty() ? shape : count));
}

}  // namespace

H5Dataset::H5Dataset(std::shared_ptr<detail::H5FileState> state, detail::H5Id id, std::string path)
    : H5Object(std::move(state), std::move(id), std::move(path)) {
    load_description();
}

H5Dataset::~H5Dataset() {
    // Closing writes cached chunks: a failure here must not be forgotten when the file is closed.
    if (state_ == nullptr) return;
    const bool broken = state_->failed && state_->communicator.has_value();
    if (broken) id_.release();
    if (id_.reset() || !state_->writable) return;
    state_->failed = true;
    detail::note_broken();  // HDF5 keeps the identifier and crashes on it when the process ends
}

void H5Dataset::load_description() {
    const H5Id type(H5Dget_type(id_.get()));
    const H5Id space(H5Dget_space(id_.get()));
    if (type.get() < 0 || space.get() < 0)
        throw error("a readable dataset", detail::take_error_stack(), "the file is damaged");
    type_ = detail::classify_type(type.get());
    null_ = H5Sget_simple_extent_type(space.get()) == H5S_NULL;
    if (null_) return;
    const int rank = H5Sget_simple_extent_ndims(space.get());
    std::vector<hsize_t> extents(std::max(rank, 0));
    if (rank < 0 || H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr) < 0)
        throw error("a readable shape", detail::take_error_stack(), "the file is damaged");
    shape_.assign(extents.begin(), extents.end());
    if (std::any_of(shape_.begin(), shape_.end(), [](std::int64_t extent) { return extent < 0; }))
        throw error("a shape below 2^63", shape_text(shape_), "the file is damaged");
}

void H5Dataset::refuse_foreign_storage() const {
    const H5Id creation(H5Dget_create_plist(id_.get()));
    if (creation.get() < 0)
        throw error("a readable dataset", detail::take_error_stack(), "the file is damaged");
    if (H5Pget_layout(creation.get()) == H5D_VIRTUAL)
        throw error("values in this file", "a virtual dataset (values in other files)",
                    "copy it into one file with h5repack or anndata");
    if (H5Pget_external_count(creation.get()) > 0)
        throw error("values in this file", "external storage (values in other files)",
                    "copy it into one file with h5repack or anndata");
    const int filters = H5Pget_nfilters(creation.get());
    for (int i = 0; i < filters; ++i) {
        unsigned flags = 0;
        std::size_t parameters = 0;
        std::array<char, 64> name{};
        const H5Z_filter_t filter =
            H5Pget_filter2(creation.get(), static_cast<unsigned>(i), &flags, &parameters, nullptr,
                           name.size(), name.data(), nullptr);
        if (H5Zfilter_avail(filter) > 0) continue;
        throw error("gzip, szip, lzf or no compression",
                    fmt::format("filter {} ('{}')", filter, name.data()),
                    "write the file again with gzip compression");
    }
}

std::int64_t H5Dataset::size() const {
    return null_ ? 0 : product(shape_);
}

std::vector<std::int64_t> H5Dataset::chunk() const {
    const H5Id creation(H5Dget_create_plist(id_.get()));
    if (H5Pget_layout(creation.get()) != H5D_CHUNKED) return {};
    std::vector<hsize_t> extents(shape_.size());
    H5Pget_chunk(creation.get(), static_cast<int>(extents.size()), extents.data());
    return {extents.begin(), extents.end()};
}

H5Dataset::Block H5Dataset::rows_block(std::int64_t first, std::int64_t last) const {
    core::check(!shape_.empty() && 0 <= first && first <= last && last <= shape_[0],
                "the rows lie in the dataset");
    Block block{std::vector<std::int64_t>(shape_.size(), 0), shape_};
    block.offset[0] = first;
    block.count[0] = last - first;
    return block;
}

void H5Dataset::require_stored(std::int64_t bytes) const {
    if (bytes <= kSmallBytes) return;
    const auto stored = static_cast<std::int64_t>(H5Dget_storage_size(id_.get()));
    if (bytes / kLargestRatio <= stored) return;
    throw error(fmt::format("values for shape {}", shape_text(shape_)),
                fmt::format("{} bytes stored", stored),
                "the writer did not finish, or the file is damaged");
}

std::size_t H5Dataset::checked_size(std::size_t element_bytes) const {
    const std::int64_t count = size();
    if (count > std::numeric_limits<std::int64_t>::max() / 16)
        throw error("a shape that fits memory", shape_text(shape_), "the file is damaged");
    require_stored(count * static_cast<std::int64_t>(element_bytes));
    return static_cast<std::size_t>(count);
}

std::size_t H5Dataset::checked_size(std::size_t element_bytes, const Block& block) const {
    checked_size(element_bytes);
    return static_cast<std::size_t>(product(block.count));
}

void H5Dataset::read_block(H5Type type, std::span<const std::int64_t> offset,
                           std::span<const std::int64_t> count, void* values,
                           std::size_t size_given) const {
    const bool numeric = is_integer(type_) || is_float(type_) || type_ == H5Type::Bool;
    if (!numeric) throw error("numbers", std::string(to_string(type_)));
    core::check(offset.size() == count.size() && (offset.empty() || offset.size() == shape_.size()),
                "a box has the dataset's dimensions");
    const std::int64_t wanted = offset.empty() ? size() : product(count);
    core::check(static_cast<std::int64_t>(size_given) == wanted,
                "the buffer has as many elements as are read");
    if (wanted == 0) return;
    const H5Id file_space = select_box(id_.get(), offset, count);
    const H5Id memory_space = memory_of(shape_, offset, count);
    const H5Id memory_type = detail::make_type(type);
    if (H5Dread(id_.get(), memory_type.get(), memory_space.get(), file_space.get(), H5P_DEFAULT,
                values) < 0)
        throw error("readable values", detail::take_error_stack(),
                    "the file is truncated or damaged: copy or create it again");
}

void H5Dataset::write_block(H5Type type, std::span<const std::int64_t> offset,
                            std::span<const std::int64_t> count, const void* values,
                            std::size_t size_given) {
    const bool boolean = type_ == H5Type::Bool && type == H5Type::UInt8;
    core::check(type == type_ || boolean, "values are written as the dataset's own type");
    const std::int64_t wanted = offset.empty() ? size() : product(count);
    core::check(static_cast<std::int64_t>(size_given) == wanted,
                "the buffer has as many elements as are written");
    if (wanted == 0) return;
    const H5Id file_space = select_box(id_.get(), offset, count);
    const H5Id memory_space = memory_of(shape_, offset, count);
    const H5Id memory_type = detail::make_type(type_);
    checked_write(*state_,
                  H5Dwrite(id_.get(), memory_type.get(), memory_space.get(), file_space.get(),
                           H5P_DEFAULT, values),
                  fmt::format("write {} to", path_));
}

std::vector<std::string> H5Dataset::read_text_block(const Block& block) const {
    if (type_ != H5Type::Text) throw error("text", std::string(to_string(type_)));
    const std::int64_t wanted = block.offset.empty() ? size() : product(block.count);
    require_stored(wanted);
    if (wanted == 0) return {};
    const H5Id file_type(H5Dget_type(id_.get()));
    const H5Id file_space = select_box(id_.get(), block.offset, block.count);
    const H5Id memory_space = memory_of(shape_, block.offset, block.count);
    return detail::read_text_elements(*this, file_type.get(), memory_space.get(),
                                      static_cast<std::size_t>(wanted),
                                      [&](hid_t memory_type, void* buffer) {
                                          return H5Dread(id_.get(), memory_type, memory_space.get(),
                                                         file_space.get(), H5P_DEFAULT, buffer);
                                      });
}

std::vector<std::string> H5Dataset::read_texts() const {
    return read_text_block({});
}

std::vector<std::string> H5Dataset::read_texts(std::int64_t first, std::int64_t last) const {
    return read_text_block(rows_block(first, last));
}

std::string H5Dataset::read_text() const {
    if (size() != 1) throw error("one text", fmt::format("{} values", size()));
    return read_text_block({}).at(0);
}

void H5Dataset::write_texts(std::span<const std::string> texts) {
    core::check(type_ == H5Type::Text, "text is written to a text dataset");
    core::check(static_cast<std::int64_t>(texts.size()) == size(), "one text an element");
    if (texts.empty()) return;
    std::vector<const char*> pointers;
    pointers.reserve(texts.size());
    for (const auto& text : texts) {
        core::check(text.find('\0') == std::string::npos && detail::is_utf8(text),
                    "text for HDF5 is UTF-8 without zero bytes");
        pointers.push_back(text.c_str());
    }
    const H5Id memory_type = detail::make_type(H5Type::Text);
    checked_write(*state_,
                  H5Dwrite(id_.get(), memory_type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT,
                           static_cast<const void*>(pointers.data())),
                  fmt::format("write {} to", path_));
}

void H5Dataset::resize(std::int64_t rows) {
    core::check(!shape_.empty() && rows >= 0, "a dataset with rows is resized");
    auto extents = detail::to_hsize(shape_);
    extents[0] = static_cast<hsize_t>(rows);
    checked_write(*state_, H5Dset_extent(id_.get(), extents.data()),
                  fmt::format("resize {} in", path_));
    shape_[0] = rows;
}

}  // namespace smeta::io
