#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace smeta::io::detail {

/// SHA-1 (FIPS 180-4): the checksum that imzML prescribes for the .ibd; not for security.
class Sha1 {
  public:
    void update(std::span<const std::byte> bytes);
    /// 40 lower-case hex digits; the object is used up.
    std::string hex();

  private:
    void block(const std::byte* bytes);
    std::array<std::uint32_t, 5> state_{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    std::array<std::byte, 64> pending_{};
    std::size_t pending_size_ = 0;
    std::uint64_t total_ = 0;
};

}  // namespace smeta::io::detail
