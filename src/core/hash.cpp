#include "smeta/core/hash.hpp"

#include <charconv>

#include <fmt/format.h>
#include <xxhash.h>

#include "smeta/core/error.hpp"

namespace smeta::core {

std::string to_hex(const Hash128& hash) {
    return fmt::format("{:016x}{:016x}", hash.high, hash.low);
}

Hash128 hash128_from_hex(std::string_view text) {
    Hash128 hash;
    const auto parse = [](std::string_view half, std::uint64_t& word) {
        const auto [end, code] = std::from_chars(half.data(), half.data() + half.size(), word, 16);
        return code == std::errc() && end == half.data() + half.size();
    };
    if (text.size() != 32 || !parse(text.substr(0, 16), hash.high) ||
        !parse(text.substr(16), hash.low))
        throw ConfigError(fmt::format("'{}' is not a checksum (32 hex digits)", text));
    return hash;
}

std::uint64_t hash64(std::string_view text) {
    return XXH3_64bits(text.data(), text.size());
}

std::uint64_t hash64(std::span<const std::byte> bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

Hash128 hash128(std::span<const std::byte> bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return {hash.low64, hash.high64};
}

Hash128 hash128(std::string_view text) {
    return hash128(std::as_bytes(std::span(text.data(), text.size())));
}

struct Hasher128::State {
    XXH3_state_t* xxh = XXH3_createState();
    State() = default;
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { XXH3_freeState(xxh); }
};

Hasher128::Hasher128() : state_(std::make_unique<State>()) {
    XXH3_128bits_reset(state_->xxh);
}
Hasher128::~Hasher128() = default;
Hasher128::Hasher128(Hasher128&&) noexcept = default;
Hasher128& Hasher128::operator=(Hasher128&&) noexcept = default;

void Hasher128::update(std::span<const std::byte> bytes) {
    XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}

Hash128 Hasher128::digest() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
    return {hash.low64, hash.high64};
}

}  // namespace smeta::core
