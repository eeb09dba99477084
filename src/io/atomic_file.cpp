#include "smeta/io/atomic_file.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <random>

#include <fmt/format.h>
#include <sys/stat.h>

#include "smeta/core/error.hpp"

#include "descriptor.hpp"

namespace smeta::io {

namespace {

using detail::Descriptor;

void sync(const std::string& path, int flags) {
    const Descriptor file(path, flags);
    if (::fsync(file.get()) != 0) throw core::IoError::from_errno("sync", path, errno);
}

std::string folder_of(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    return folder.empty() ? "." : folder;
}

constexpr std::string_view kMark = ".tmp.";
constexpr std::size_t kDigits = 16;

}  // namespace

std::string temporary_name(const std::string& path) {
    std::random_device device;
    const auto high = static_cast<std::uint64_t>(device());
    return fmt::format("{}{}{:016x}", path, kMark, high << 32U | device());
}

bool is_temporary_name(std::string_view name) {
    if (name.size() < kMark.size() + kDigits) return false;
    const std::string_view tail = name.substr(name.size() - kMark.size() - kDigits);
    return tail.starts_with(kMark) &&
           tail.substr(kMark.size()).find_first_not_of("0123456789abcdef") ==
               std::string_view::npos;
}

void sync_file(const std::string& path) {
    sync(path, O_RDONLY);
}

void sync_folder(const std::string& path) {
    sync(path, O_RDONLY | O_DIRECTORY);
}

void commit_file(const std::string& temporary, const std::string& path) {
    sync_file(temporary);
    if (std::rename(temporary.c_str(), path.c_str()) != 0)
        throw core::IoError::from_errno("rename to", path, errno);
    sync_folder(folder_of(path));
}

void replace_file(const std::string& path, const std::function<void(const std::string&)>& write) {
    const std::string temporary = temporary_name(path);
    try {
        write(temporary);
        commit_file(temporary, path);
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
}

void write_atomically(const std::string& path, std::string_view content) {
    replace_file(path, [&](const std::string& temporary) {
        const Descriptor file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
        for (std::size_t done = 0; done < content.size();) {
            const ssize_t written =
                ::write(file.get(), content.data() + done, content.size() - done);
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) throw core::IoError::from_errno("write", path, errno);
            done += static_cast<std::size_t>(written);
        }
        if (::fsync(file.get()) != 0) throw core::IoError::from_errno("sync", path, errno);
        if (read_text_file(temporary) != content)
            throw core::IoError(fmt::format("cannot write {}: what was read back differs", path));
    });
}

std::string read_text_file(const std::string& path) {
    const Descriptor file(path, O_RDONLY);
    // Up to the end, not to a size: pipes have none.
    std::string text(static_cast<std::size_t>(file_size(path)) + 1, '\0');
    std::size_t done = 0;
    for (;;) {
        if (done == text.size()) text.resize(2 * text.size());
        const ssize_t got = ::read(file.get(), text.data() + done, text.size() - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw core::IoError::from_errno("read", path, errno);
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    text.resize(done);
    return text;
}

std::int64_t file_size(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) throw core::IoError::from_errno("read", path, errno);
    if (S_ISDIR(status.st_mode)) throw core::IoError::from_errno("read", path, EISDIR);
    return status.st_size;
}

std::int64_t checksum_blocks(std::int64_t bytes) {
    return (bytes + kChecksumBlock - 1) / kChecksumBlock;
}

core::Hash128 block_checksum(const std::string& path, std::int64_t block) {
    constexpr std::int64_t kPiece = std::int64_t{4} << 20U;
    const Descriptor file(path, O_RDONLY);
    core::Hasher128 hasher;
    std::vector<std::byte> buffer(kPiece);
    std::int64_t at = block * kChecksumBlock;
    const std::int64_t end = at + kChecksumBlock;
    while (at < end) {
        const ssize_t got = ::pread(file.get(), buffer.data(), buffer.size(), at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw core::IoError::from_errno("read", path, errno);
        if (got == 0) break;
        hasher.update(std::span(buffer).first(static_cast<std::size_t>(got)));
        at += got;
    }
    return hasher.digest();
}

core::Hash128 combine_checksums(const std::vector<core::Hash128>& blocks) {
    return core::hash128(std::as_bytes(std::span(blocks)));
}

core::Hash128 file_checksum(const std::string& path) {
    std::vector<core::Hash128> blocks;
    const std::int64_t count = checksum_blocks(file_size(path));
    for (std::int64_t block = 0; block < count; ++block)
        blocks.push_back(block_checksum(path, block));
    return combine_checksums(blocks);
}

}  // namespace smeta::io
