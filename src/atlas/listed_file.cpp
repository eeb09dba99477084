#include "smeta/atlas/listed_file.hpp"

#include <algorithm>
#include <cerrno>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"

namespace smeta::atlas {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kDigits = 32;
constexpr std::string_view kBetween = "  ";

/// One write(2): lines of several commands do not mix.
void append(const fs::path& file, const std::string& line) {
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) throw core::IoError::from_errno("open", file.string(), errno);
    errno = 0;
    const bool written = ::write(descriptor, line.data(), line.size()) == std::ssize(line);
    const bool synced = written && ::fsync(descriptor) == 0;
    const int reason = errno != 0 ? errno : EIO;
    ::close(descriptor);
    if (!synced) throw core::IoError::from_errno("write", file.string(), reason);
}

bool is_line(std::string_view line) {
    return line.size() > kDigits + kBetween.size() && line.substr(kDigits, 2) == kBetween &&
           std::all_of(line.begin(), line.begin() + kDigits,
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

void write_listed(const fs::path& folder, const std::string& path, std::string_view content) {
    // The line feed in front ends a line that a full disk cut short.
    append(folder / kChecksumList,
           fmt::format("\n{}{}{}\n", core::to_hex(core::hash128(content)), kBetween, path));
    io::write_atomically((folder / path).string(), content);
}

std::vector<ListedFile> listed_files(const fs::path& folder) {
    const fs::path list = folder / kChecksumList;
    if (!fs::exists(list)) return {};
    const std::string text = io::read_text_file(list.string());
    std::map<std::string, std::vector<core::Hash128>> lines;
    for (std::string_view left = text; !left.empty();) {
        const std::string_view line = left.substr(0, left.find('\n'));
        left.remove_prefix(std::min(left.size(), line.size() + 1));
        if (!is_line(line)) continue;
        auto& hashes = lines[std::string(line.substr(kDigits + kBetween.size()))];
        hashes.push_back(core::hash128_from_hex(line.substr(0, kDigits)));
        if (hashes.size() > 2) hashes.erase(hashes.begin());
    }
    std::vector<ListedFile> files;
    for (auto& [path, hashes] : lines) files.push_back({path, std::move(hashes)});
    return files;
}

}  // namespace smeta::atlas
