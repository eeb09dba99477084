#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "smeta/atlas/lock.hpp"

namespace smeta::atlas::detail {

/// Where the leases of a lock file are.
std::filesystem::path lease_folder(const std::filesystem::path& lock_file);

struct LeaseTiming {
    std::chrono::milliseconds renewal{5'000};
    std::chrono::milliseconds stale{30'000};  ///< a lease not renewed for so long is nobody's
};

/// Stands in for FileLock's lock where the file system has none: files in lease_folder() that their
/// holder rewrites by a thread. Whoever waits sees by its own clock whether they change; hosts'
/// clocks do not matter. Exclusive holders of a byte have the files BYTE.1, BYTE.2, ... one after
/// the other: the next one is made by exactly one process (O_EXCL), once the newest is released or
/// stale, and only the newest counts. Shared ones have BYTE.shared.RANDOM each; an exclusive one
/// makes its file, then waits for those. Local.
class Lease {
  public:
    /// `holder`: one line about this process. IoError naming the holder when `options.patience` is
    /// over and that holder was seen alive, which takes one renewal more at most.
    Lease(const std::filesystem::path& lock_file, const FileLock::Options& options,
          std::string holder, LeaseTiming timing = {});
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    /// Whether another process holds it now or may soon: it was not renewed for half of the time
    /// after which it is nobody's.
    bool lost() const;
    const std::filesystem::path& lock_file() const { return lock_file_; }

  private:
    using Clock = std::chrono::steady_clock;
    /// A file as this process saw it.
    struct Seen {
        std::string content;
        Clock::time_point since;
        bool renewed = false;
    };
    void acquire_exclusive();
    void acquire_shared();
    void wait_for_shared();
    bool make_own(const std::string& name);
    std::string content(std::string_view state) const;
    /// Whether the file is there, not released, and changed lately as far as this process has seen.
    bool is_alive(const std::string& name);
    std::int64_t newest() const;
    std::string exclusive_name(std::int64_t generation) const;
    std::vector<std::string> names(const std::string& prefix) const;
    void wait_for(const std::string& name);
    bool is_displaced() const;
    void renew();
    void keep_renewing();
    void release();

    std::filesystem::path lock_file_;
    std::filesystem::path folder_;
    std::string byte_;
    std::string holder_;
    LeaseTiming timing_;
    Clock::time_point deadline_;
    Clock::time_point first_look_;  ///< at any other's lease
    std::string own_;
    std::int64_t generation_ = 0;  ///< 0: shared
    std::int64_t renewals_ = 0;
    std::map<std::string, Seen> seen_;
    std::atomic<Clock::time_point> renewed_;
    std::atomic<bool> lost_ = false;
    std::mutex mutex_;
    std::condition_variable ended_;
    bool end_ = false;
    std::thread renewer_;
};

/// IoError when a lease of this process on that lock file is lost (it stood still for so long that
/// another process may have taken it). Locks of the kernel are never lost. Local.
void check_held(const std::filesystem::path& lock_file);

}  // namespace smeta::atlas::detail
