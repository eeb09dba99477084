#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace smeta::atlas {

enum class LockMode { Shared, Exclusive };

/// An advisory lock on one byte of a file: an open-file-description lock (fcntl F_OFD_SETLK), which
/// the kernel frees when its holder ends, however it ends. The file stays; an exclusive holder of
/// byte 0 writes "host pid job command" into it for the message that others get. Move-only;
/// released by the destructor. Local: under MPI one rank takes it.
class FileLock {
  public:
    struct Options {
        LockMode mode = LockMode::Exclusive;
        std::int64_t byte = 0;
        std::chrono::milliseconds patience{0};  ///< how long to wait for the holder
    };
    /// IoError naming the holder when the lock is not free in time, or where the file cannot be
    /// made.
    FileLock(const std::filesystem::path& file, const Options& options);
    ~FileLock();
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;

  private:
    int descriptor_ = -1;
};

}  // namespace smeta::atlas
