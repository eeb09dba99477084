#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace smeta::core {

/// A 128-bit XXH3 checksum (xxHash 0.8). Not cryptographic.
struct Hash128 {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    bool operator==(const Hash128&) const = default;
};

/// 32 lower-case hex digits, high word first (canonical XXH128 text).
std::string to_hex(const Hash128& hash);
/// Inverse of `to_hex`; throws ConfigError on anything else.
Hash128 hash128_from_hex(std::string_view text);

std::uint64_t hash64(std::string_view text);
std::uint64_t hash64(std::span<const std::byte> bytes);
Hash128 hash128(std::span<const std::byte> bytes);
Hash128 hash128(std::string_view text);

/// Incremental XXH3-128. Local.
class Hasher128 {
  public:
    Hasher128();
    ~Hasher128();
    Hasher128(Hasher128&&) noexcept;
    Hasher128& operator=(Hasher128&&) noexcept;
    void update(std::span<const std::byte> bytes);
    Hash128 digest() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace smeta::core
