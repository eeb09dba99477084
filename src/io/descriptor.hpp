#pragma once

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "smeta/core/error.hpp"

namespace smeta::io::detail {

/// An open descriptor; closing reports nothing (whoever writes syncs first).
class Descriptor {
  public:
    Descriptor(const std::string& path, int flags, mode_t mode = 0)
        : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
        if (fd_ < 0) throw core::IoError::from_errno("open", path, errno);
    }
    ~Descriptor() { ::close(fd_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

  private:
    int fd_;
};

}  // namespace smeta::io::detail
