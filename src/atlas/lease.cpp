#include "lease.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <random>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "smeta/core/error.hpp"
#include "smeta/io/atomic_file.hpp"

namespace smeta::atlas::detail {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kHeld = "held";
constexpr std::string_view kReleased = "released";
constexpr std::chrono::milliseconds kPoll{200};

/// Writes the whole content; false, with errno, when it cannot.
bool write_content(const fs::path& file, int flags, const std::string& text) {
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_CLOEXEC | flags, 0666);
    if (descriptor < 0) return false;
    const bool written = ::pwrite(descriptor, text.data(), text.size(), 0) == std::ssize(text);
    const int reason = errno;
    const bool closed = ::close(descriptor) == 0;
    if (!written) errno = reason;
    return closed && written;
}

/// Empty where there is none.
std::string read_content(const fs::path& file) {
    try {
        return io::read_text_file(file.string());
    } catch (const core::IoError&) {
        return {};
    }
}

bool is_there(const fs::path& file) {
    std::error_code error;
    return fs::exists(file, error);
}

void remove_quietly(const fs::path& file) {
    std::error_code ignored;
    fs::remove(file, ignored);
}

std::string random_digits() {
    std::random_device device;
    return fmt::format("{:08x}{:08x}", device(), device());
}

}  // namespace

fs::path lease_folder(const fs::path& lock_file) {
    return lock_file.string() + ".lease";
}

Lease::Lease(const fs::path& lock_file, const FileLock::Options& options, std::string holder,
             LeaseTiming timing)
    : lock_file_(lock_file),
      folder_(lease_folder(lock_file)),
      byte_(std::to_string(options.byte)),
      holder_(std::move(holder)),
      timing_(timing),
      deadline_(Clock::now() + options.patience),
      renewed_(Clock::now()) {
    std::error_code error;
    fs::create_directory(folder_, error);
    if (error) throw core::IoError::from_errno("create", folder_.string(), error.value());
    try {
        if (options.mode == LockMode::Exclusive)
            acquire_exclusive();
        else
            acquire_shared();
    } catch (...) {
        if (!own_.empty()) release();
        throw;
    }
    renewer_ = std::thread([this] { keep_renewing(); });
}

Lease::~Lease() {
    {
        const std::lock_guard lock(mutex_);
        end_ = true;
    }
    ended_.notify_all();
    renewer_.join();
    release();
}

std::string Lease::content(std::string_view state) const {
    return fmt::format("{} {:016} {}\n", state, renewals_, holder_);
}

std::string Lease::exclusive_name(std::int64_t generation) const {
    return fmt::format("{}.{}", byte_, generation);
}

std::vector<std::string> Lease::names(const std::string& prefix) const {
    std::vector<std::string> found;
    std::error_code error;
    fs::directory_iterator entry(folder_, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error))
        if (const std::string name = entry->path().filename().string(); name.starts_with(prefix))
            found.push_back(name);
    if (error) throw core::IoError::from_errno("read", folder_.string(), error.value());
    return found;
}

std::int64_t Lease::newest() const {
    std::int64_t newest = 0;
    for (const std::string& name : names(byte_ + ".")) {
        std::int64_t generation = 0;
        const char* end = name.data() + name.size();
        if (std::from_chars(name.data() + byte_.size() + 1, end, generation).ptr == end)
            newest = std::max(newest, generation);
    }
    return newest;
}

bool Lease::is_alive(const std::string& name) {
    const std::string content = read_content(folder_ / name);
    if (content.starts_with(kReleased) || !is_there(folder_ / name)) return false;
    const auto now = Clock::now();
    if (seen_.empty()) first_look_ = now;
    const auto [seen, is_new] = seen_.try_emplace(name, Seen{content, now});
    if (!is_new && seen->second.content != content)
        seen->second = {content, now, seen->second.content.starts_with(kHeld)};
    return now - seen->second.since < timing_.stale;
}

void Lease::wait_for(const std::string& name) {
    const auto now = Clock::now();
    const Seen& seen = seen_.at(name);
    // One that has not been renewed while we looked may be dead, which shows in time for the first.
    const bool in_vain = seen.renewed ? now >= deadline_
                                      : now >= std::max(deadline_, first_look_) + timing_.stale &&
                                            now - seen.since < timing_.stale;
    if (in_vain) {
        // "held NUMBER holder"
        std::string text = read_content(folder_ / name);
        text.resize(std::min(text.find('\n'), text.size()));
        text.erase(0, std::min(text.size(), kHeld.size() + 18));
        throw core::IoError(fmt::format("{} is locked by {}", lock_file_.string(),
                                        text.empty() ? "another command" : text));
    }
    std::this_thread::sleep_for(std::min(timing_.renewal, kPoll));
}

bool Lease::make_own(const std::string& name) {
    if (!write_content(folder_ / name, O_CREAT | O_EXCL, content(kHeld))) {
        if (errno == EEXIST) return false;
        throw core::IoError::from_errno("write", (folder_ / name).string(), errno);
    }
    own_ = name;
    renewed_ = Clock::now();
    return true;
}

void Lease::acquire_exclusive() {
    while (own_.empty()) {
        const std::int64_t before = newest();
        if (before > 0 && is_alive(exclusive_name(before))) {
            wait_for(exclusive_name(before));
            continue;
        }
        if (!make_own(exclusive_name(before + 1))) {
            // Another was faster; network file systems show its file a little later.
            std::this_thread::sleep_for(std::min(timing_.renewal, kPoll) / 10);
            continue;
        }
        generation_ = before + 1;
        if (newest() == generation_) break;
        // Others went on meanwhile and removed the file of this number.
        remove_quietly(folder_ / own_);
        own_.clear();
    }
    wait_for_shared();
    for (const std::string& name : names(byte_ + "."))
        if (name != own_) remove_quietly(folder_ / name);
}

void Lease::wait_for_shared() {
    for (const std::string& name : names(byte_ + ".shared."))
        while (is_alive(name)) {
            renew();
            if (lost_) throw core::IoError(fmt::format("{}: lock lost", lock_file_.string()));
            wait_for(name);
        }
}

void Lease::acquire_shared() {
    for (;;) {
        // Made before the look, as the exclusive one is: never do both miss each other.
        core::check(make_own(byte_ + ".shared." + random_digits()), "a name of its own");
        const std::int64_t holder = newest();
        if (holder == 0 || !is_alive(exclusive_name(holder))) return;
        remove_quietly(folder_ / own_);
        own_.clear();
        wait_for(exclusive_name(holder));
    }
}

// Another one may act a little after it saw a stale lease, so its holder gives up well before.
bool Lease::lost() const {
    return lost_ || Clock::now() - renewed_.load() > timing_.stale / 2 || is_displaced();
}

bool Lease::is_displaced() const {
    if (!is_there(folder_ / own_)) return true;
    try {
        return generation_ > 0 && newest() > generation_;
    } catch (const core::IoError&) {
        return true;
    }
}

void Lease::renew() {
    ++renewals_;
    if (lost())
        lost_ = true;
    else if (write_content(folder_ / own_, 0, content(kHeld)))
        renewed_ = Clock::now();
}

void Lease::keep_renewing() {
    std::unique_lock lock(mutex_);
    while (!ended_.wait_for(lock, timing_.renewal, [this] { return end_; })) {
        renew();
        if (lost_) return;
    }
}

void Lease::release() {
    // The newest exclusive file stays: it keeps the count.
    if (generation_ > 0)
        write_content(folder_ / own_, O_TRUNC, content(kReleased));
    else
        remove_quietly(folder_ / own_);
    own_.clear();
}

}  // namespace smeta::atlas::detail
