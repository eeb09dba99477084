#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace smeta::bench {

/// The least that a program must do to keep a sparse matrix as a shard does: the same arrays in the
/// same chunks, each shuffled and deflated (level 1) with zlib, through write(2) and fsync, and
/// back through read(2). One thread, no file format.
class PlainShard {
  public:
    PlainShard(std::string path, std::int64_t chunk) : path_(std::move(path)), chunk_(chunk) {}

    /// Elements of 4 bytes. std::runtime_error when the system refuses.
    void write(const std::vector<std::span<const std::byte>>& arrays);
    void read(const std::vector<std::span<std::byte>>& arrays) const;

  private:
    std::string path_;
    std::int64_t chunk_;  ///< elements
    std::vector<std::size_t> packed_;
};

}  // namespace smeta::bench
