#include "smeta/atlas/lock.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "smeta/core/error.hpp"
#include "smeta/core/log.hpp"

#include "lease.hpp"

namespace smeta::atlas {

namespace {

std::string host_name() {
    char name[256] = {};
    return gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

std::string command_text() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    for (char& c : text)
        if (c == '\0' || c == '\n') c = ' ';
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
}

std::string describe_self() {
    const char* job = std::getenv("SLURM_JOB_ID");
    return fmt::format("host {} pid {}{} command: {}", host_name(), getpid(),
                       job != nullptr ? fmt::format(" job {}", job) : "", command_text());
}

std::string holder(int descriptor) {
    char text[1024] = {};
    const ssize_t length = pread(descriptor, text, sizeof(text) - 1, 0);
    std::string line(text, length > 0 ? static_cast<std::size_t>(length) : 0);
    line.resize(std::min(line.find('\n'), line.size()));
    return line.empty() ? "another command" : line;
}

void write_holder(int descriptor) {
    const std::string text = describe_self() + "\n";
    // Only a message for people: the lock itself does not depend on it.
    if (ftruncate(descriptor, 0) == 0) (void)!pwrite(descriptor, text.data(), text.size(), 0);
}

enum class Outcome { Locked, Busy, NoLocks };

Outcome try_lock(int descriptor, const FileLock::Options& options, const std::string& path) {
    struct flock request = {};
    request.l_type = options.mode == LockMode::Exclusive ? F_WRLCK : F_RDLCK;
    request.l_whence = SEEK_SET;
    request.l_start = options.byte;
    request.l_len = 1;
    if (fcntl(descriptor, F_OFD_SETLK, &request) == 0) return Outcome::Locked;
    if (errno == EAGAIN || errno == EACCES || errno == EINTR) return Outcome::Busy;
    const int none[] = {ENOSYS, EOPNOTSUPP, ENOLCK, EINVAL};
    if (std::find(std::begin(none), std::end(none), errno) != std::end(none))
        return Outcome::NoLocks;
    throw core::IoError::from_errno("lock", path, errno);
}

/// Whether the file of that name is the one that is open: its holder may have removed it.
bool is_named(int descriptor, const std::filesystem::path& file) {
    struct stat open = {};
    struct stat named = {};
    return fstat(descriptor, &open) == 0 && stat(file.c_str(), &named) == 0 &&
           open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/// The leases of this process by the descriptor of their FileLock, which has no more than that
/// where the kernel locks. What is left at exit() is released.
class Leases {
  public:
    void add(int descriptor, std::unique_ptr<detail::Lease> lease) {
        const std::lock_guard lock(mutex_);
        of_descriptor_[descriptor] = std::move(lease);
    }
    void remove(int descriptor) {
        const std::lock_guard lock(mutex_);
        of_descriptor_.erase(descriptor);
    }
    bool is_lost(const std::filesystem::path& file) {
        const std::lock_guard lock(mutex_);
        return std::any_of(of_descriptor_.begin(), of_descriptor_.end(), [&](const auto& entry) {
            return entry.second->lock_file() == file && entry.second->lost();
        });
    }

  private:
    std::mutex mutex_;
    std::map<int, std::unique_ptr<detail::Lease>> of_descriptor_;
};

Leases& leases() {
    static Leases leases;
    return leases;
}

int open_file(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) throw core::IoError::from_errno("open", file.string(), errno);
    return descriptor;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& file, const Options& options) {
    descriptor_ = open_file(file);
    const auto deadline = std::chrono::steady_clock::now() + options.patience;
    try {
        for (;;) {
            const Outcome outcome = try_lock(descriptor_, options, file.string());
            if (outcome == Outcome::NoLocks) {
                core::log_debug("{}: this file system has no locks: a renewed lease stands in",
                                file.string());
                leases().add(descriptor_,
                             std::make_unique<detail::Lease>(file, options, describe_self()));
                break;
            }
            if (outcome == Outcome::Locked) {
                if (is_named(descriptor_, file)) break;
                ::close(std::exchange(descriptor_, -1));
                descriptor_ = open_file(file);
                continue;
            }
            if (std::chrono::steady_clock::now() >= deadline)
                throw core::IoError(
                    fmt::format("{} is locked by {}", file.string(), holder(descriptor_)));
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    } catch (...) {
        if (descriptor_ >= 0) ::close(descriptor_);
        throw;
    }
    if (options.mode == LockMode::Exclusive && options.byte == 0) write_holder(descriptor_);
}

FileLock::~FileLock() {
    if (descriptor_ < 0) return;
    leases().remove(descriptor_);
    ::close(descriptor_);
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

namespace detail {

void check_held(const std::filesystem::path& file) {
    if (leases().is_lost(file))
        throw core::IoError(fmt::format(
            "{}: this process stood still for so long that another one may have taken its place; "
            "run the command again",
            file.string()));
}

}  // namespace detail

}  // namespace smeta::atlas
