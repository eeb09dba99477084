#include "plain_shard.hpp"

#include <algorithm>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

namespace smeta::bench {

namespace {

constexpr std::size_t kElement = 4;

void require(bool condition, const char* what) {
    if (!condition) throw std::runtime_error(what);
}

void shuffle(std::span<const std::byte> from, std::byte* to) {
    const std::size_t n = from.size() / kElement;
    for (std::size_t b = 0; b < kElement; ++b)
        for (std::size_t i = 0; i < n; ++i) to[b * n + i] = from[i * kElement + b];
}

void unshuffle(const std::byte* from, std::span<std::byte> to) {
    const std::size_t n = to.size() / kElement;
    for (std::size_t b = 0; b < kElement; ++b)
        for (std::size_t i = 0; i < n; ++i) to[i * kElement + b] = from[b * n + i];
}

void write_all(int file, const std::byte* bytes, std::size_t size) {
    while (size > 0) {
        const ssize_t written = ::write(file, bytes, size);
        require(written > 0, "write");
        bytes += written;
        size -= static_cast<std::size_t>(written);
    }
}

void read_all(int file, std::byte* bytes, std::size_t size) {
    while (size > 0) {
        const ssize_t got = ::read(file, bytes, size);
        require(got > 0, "read");
        bytes += got;
        size -= static_cast<std::size_t>(got);
    }
}

/// Calls use(part) for the chunks of all arrays.
template <class Span, class Use>
void for_each_chunk(const std::vector<Span>& arrays, std::size_t chunk_bytes, const Use& use) {
    for (const Span& array : arrays)
        for (std::size_t at = 0; at < array.size(); at += chunk_bytes)
            use(array.subspan(at, std::min(chunk_bytes, array.size() - at)));
}

}  // namespace

void PlainShard::write(const std::vector<std::span<const std::byte>>& arrays) {
    const std::size_t chunk_bytes = static_cast<std::size_t>(chunk_) * kElement;
    std::vector<std::byte> shuffled(chunk_bytes);
    std::vector<std::byte> packed(compressBound(chunk_bytes));
    packed_.clear();
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    require(file >= 0, "open");
    for_each_chunk(arrays, chunk_bytes, [&](std::span<const std::byte> part) {
        shuffle(part, shuffled.data());
        uLongf size = packed.size();
        require(compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                          reinterpret_cast<const Bytef*>(shuffled.data()), part.size(), 1) == Z_OK,
                "deflate");
        packed_.push_back(size);
        write_all(file, packed.data(), size);
    });
    require(::fsync(file) == 0, "fsync");
    require(::close(file) == 0, "close");
}

void PlainShard::read(const std::vector<std::span<std::byte>>& arrays) const {
    const std::size_t chunk_bytes = static_cast<std::size_t>(chunk_) * kElement;
    std::vector<std::byte> shuffled(chunk_bytes);
    std::vector<std::byte> packed(compressBound(chunk_bytes));
    const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    require(file >= 0, "open");
    auto size = packed_.begin();
    for_each_chunk(arrays, chunk_bytes, [&](std::span<std::byte> part) {
        read_all(file, packed.data(), *size);
        uLongf bytes = shuffled.size();
        require(uncompress(reinterpret_cast<Bytef*>(shuffled.data()), &bytes,
                           reinterpret_cast<const Bytef*>(packed.data()), *size) == Z_OK &&
                    bytes == part.size(),
                "inflate");
        unshuffle(shuffled.data(), part);
        ++size;
    });
    ::close(file);
}

}  // namespace smeta::bench
