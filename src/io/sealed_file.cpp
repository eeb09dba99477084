#include "smeta/io/sealed_file.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "smeta/core/error.hpp"
#include "smeta/core/hash.hpp"
#include "smeta/io/atomic_file.hpp"

#include "descriptor.hpp"

namespace smeta::io {

namespace {

constexpr std::string_view kMark = "smeta-xxh3:";
constexpr std::string_view kEnd = " \n";
constexpr std::int64_t kSealBytes = 45;

/// Up to the end where [first, last) reaches beyond it.
template <class Use>
void read_bytes(const std::string& path, std::int64_t first, std::int64_t last, const Use& use) {
    constexpr std::int64_t kPiece = std::int64_t{4} << 20U;
    const detail::Descriptor file(path, O_RDONLY);
    std::vector<std::byte> buffer(std::min(kPiece, std::max<std::int64_t>(1, last - first)));
    while (first < last) {
        const auto wanted = std::min<std::int64_t>(last - first, std::ssize(buffer));
        const ssize_t got = ::pread(file.get(), buffer.data(), wanted, first);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw core::IoError::from_errno("read", path, errno);
        if (got == 0) return;
        use(std::span(buffer).first(got));
        first += got;
    }
}

void append(const std::string& path, std::string_view text) {
    const detail::Descriptor file(path, O_WRONLY | O_APPEND);
    while (!text.empty()) {
        const ssize_t written = ::write(file.get(), text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) throw core::IoError::from_errno("write", path, errno);
        text.remove_prefix(written);
    }
}

std::string seal_of(const core::Hash128& checksum) {
    return std::string(kMark) + core::to_hex(checksum) + std::string(kEnd);
}

std::string seal_of(const std::string& path, std::int64_t bytes) {
    core::Hasher128 hasher;
    read_bytes(path, 0, bytes, [&](std::span<const std::byte> part) { hasher.update(part); });
    return seal_of(hasher.digest());
}

}  // namespace

void seal_file(const std::string& path) {
    append(path, seal_of(path, file_size(path)));
}

Seal check_seal(const std::string& path) {
    const std::int64_t bytes = file_size(path) - kSealBytes;
    if (bytes < 0) return Seal::Missing;
    std::string found;
    read_bytes(path, bytes, bytes + kSealBytes, [&](std::span<const std::byte> part) {
        found.append(reinterpret_cast<const char*>(part.data()), part.size());
    });
    if (found == seal_of(path, bytes)) return Seal::Intact;
    return found.starts_with(kMark) ? Seal::Broken : Seal::Missing;
}

std::string sealed(std::string content) {
    content += seal_of(core::hash128(content));
    return content;
}

std::optional<std::string_view> unsealed(std::string_view bytes) {
    if (std::ssize(bytes) < kSealBytes) return std::nullopt;
    const std::string_view content = bytes.substr(0, bytes.size() - kSealBytes);
    if (bytes.substr(content.size()) != seal_of(core::hash128(content))) return std::nullopt;
    return content;
}

}  // namespace smeta::io
