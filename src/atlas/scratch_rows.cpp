#include "scratch_rows.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "smeta/core/error.hpp"

namespace smeta::atlas::detail {

namespace {

int open_unnamed(const std::filesystem::path& folder) {
    int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file >= 0) return file;
    // File systems without O_TMPFILE (NFS): a name for a moment.
    std::string name = (folder / "rows.XXXXXX").string();
    file = ::mkostemp(name.data(), O_CLOEXEC);
    if (file < 0)
        throw core::IoError::from_errno("create a scratch file in", folder.string(), errno);
    ::unlink(name.c_str());
    return file;
}

void put(std::vector<std::byte>& buffer, auto&& values) {
    const auto bytes = std::as_bytes(std::span(values));
    buffer.insert(buffer.end(), bytes.begin(), bytes.end());
}

/// Makes room for `count` more entries and says where they are.
template <class T>
iovec grown(std::vector<T>& values, std::int64_t count) {
    const std::size_t before = values.size();
    values.resize(before + static_cast<std::size_t>(count));
    return {values.data() + before, static_cast<std::size_t>(count) * sizeof(T)};
}

/// Fills all places, one after the other, from `offset` on; the places are used up.
void read_into(int file, std::span<iovec> places, std::int64_t offset,
               const std::filesystem::path& folder) {
    while (true) {
        while (!places.empty() && places.front().iov_len == 0) places = places.subspan(1);
        if (places.empty()) return;
        const ssize_t got = ::preadv(file, places.data(), static_cast<int>(places.size()), offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            throw core::IoError::from_errno("read a scratch file in", folder.string(),
                                            got < 0 ? errno : EIO);
        offset += got;
        for (auto left = static_cast<std::size_t>(got); left > 0;) {
            const std::size_t part = std::min(left, places.front().iov_len);
            places.front().iov_base = static_cast<std::byte*>(places.front().iov_base) + part;
            places.front().iov_len -= part;
            left -= part;
            if (places.front().iov_len == 0) places = places.subspan(1);
        }
    }
}

}  // namespace

ScratchRows::ScratchRows(const std::filesystem::path& folder)
    : folder_(folder), file_(open_unnamed(folder)) {}

ScratchRows::~ScratchRows() {
    ::close(file_);
}

void ScratchRows::append(const RowBatch& block) {
    Entry entry{.offset = end_,
                .rows = block.rows(),
                .codes = static_cast<std::int64_t>(block.codes.size()),
                .values = {}};
    std::vector<std::byte> buffer;
    put(buffer, block.keys);
    put(buffer, block.samples);
    put(buffer, block.codes);
    cols_.clear();
    for (const auto& matrix : block.modalities) {
        entry.values.push_back(matrix.nnz());
        cols_.push_back(matrix.cols);
        put(buffer, std::span(matrix.indptr).subspan(1));
        put(buffer, matrix.indices);
        put(buffer, matrix.values);
    }
    for (std::size_t done = 0; done < buffer.size();) {
        const ssize_t written = ::pwrite(file_, buffer.data() + done, buffer.size() - done,
                                         end_ + static_cast<std::int64_t>(done));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            throw core::IoError::from_errno("write a scratch file in", folder_.string(), errno);
        done += static_cast<std::size_t>(written);
    }
    end_ += static_cast<std::int64_t>(buffer.size());
    entries_.push_back(std::move(entry));
}

RowBatch ScratchRows::read(std::span<const std::size_t> blocks) const {
    RowBatch rows;
    std::vector<std::int64_t> values(cols_.size(), 0);
    std::int64_t count = 0;
    std::int64_t codes = 0;
    for (const std::size_t block : blocks) {
        count += entries_[block].rows;
        codes += entries_[block].codes;
        for (std::size_t m = 0; m < values.size(); ++m) values[m] += entries_[block].values[m];
    }
    rows.keys.reserve(count);
    rows.samples.reserve(count);
    rows.codes.reserve(codes);
    for (std::size_t m = 0; m < cols_.size(); ++m) {
        auto& matrix = rows.modalities.emplace_back();
        matrix.cols = cols_[m];
        matrix.indptr.reserve(count + 1);
        matrix.indices.reserve(values[m]);
        matrix.values.reserve(values[m]);
    }
    std::vector<iovec> places;
    std::vector<std::int64_t> bases(cols_.size());
    for (const std::size_t block : blocks) {
        const Entry& entry = entries_[block];
        places = {grown(rows.keys, entry.rows), grown(rows.samples, entry.rows),
                  grown(rows.codes, entry.codes)};
        for (std::size_t m = 0; m < cols_.size(); ++m) {
            auto& matrix = rows.modalities[m];
            bases[m] = matrix.nnz();
            places.push_back(grown(matrix.indptr, entry.rows));
            places.push_back(grown(matrix.indices, entry.values[m]));
            places.push_back(grown(matrix.values, entry.values[m]));
        }
        read_into(file_, places, entry.offset, folder_);
        for (std::size_t m = 0; m < cols_.size(); ++m) {
            auto& matrix = rows.modalities[m];
            for (std::int64_t row = 1; row <= entry.rows; ++row)
                matrix.indptr[matrix.rows + row] += bases[m];
            matrix.rows += entry.rows;
        }
    }
    return rows;
}

}  // namespace smeta::atlas::detail
