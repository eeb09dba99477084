#include "smeta/core/memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

namespace smeta::core {

namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// The value in kB of a line "Name:   123 kB".
std::optional<std::int64_t> kilobytes(const char* path, const std::string& name) {
    std::ifstream file(path);
    for (std::string word; file >> word;) {
        std::int64_t value = 0;
        if (word == name && file >> value) return value;
    }
    return std::nullopt;
}

std::optional<std::int64_t> number_in(const std::string& path) {
    std::ifstream file(path);
    std::int64_t value = 0;
    if (file >> value) return value;
    return std::nullopt;
}

/// What is left of the limits of this process's control group and those above it (version 2).
std::int64_t left_of_group() {
    std::ifstream file("/proc/self/cgroup");
    std::string group;
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("0::/")) group = line.substr(3);
    std::int64_t left = kUnlimited;
    while (!group.empty()) {
        const std::string folder = "/sys/fs/cgroup" + (group == "/" ? std::string() : group);
        const auto limit = number_in(folder + "/memory.max");  // "max": no number
        if (limit)
            left = std::min(left, *limit - number_in(folder + "/memory.current").value_or(0));
        group = group == "/" ? "" : group.substr(0, std::max<std::size_t>(1, group.rfind('/')));
    }
    return std::max<std::int64_t>(0, left);
}

}  // namespace

std::int64_t peak_memory() {
    return kilobytes("/proc/self/status", "VmHWM:").value_or(0) * 1024;
}

std::int64_t available_memory() {
    const auto free = kilobytes("/proc/meminfo", "MemAvailable:");
    return std::min(free ? *free * 1024 : kUnlimited, left_of_group());
}

void prefer_large_pages(void* data, std::size_t bytes) {
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(data) / page * page;
    const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(data) + bytes;
    // A wish: what it returns does not matter.
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace smeta::core
