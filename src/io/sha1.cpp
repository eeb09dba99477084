#include <algorithm>
#include <bit>
#include <cstring>

#include <fmt/format.h>

#include "sha1_impl.hpp"

namespace smeta::io::detail {

void Sha1::block(const std::byte* bytes) {
    std::array<std::uint32_t, 80> w;
    for (int i = 0; i < 16; ++i)
        w[i] = std::to_integer<std::uint32_t>(bytes[4 * i]) << 24 |
               std::to_integer<std::uint32_t>(bytes[4 * i + 1]) << 16 |
               std::to_integer<std::uint32_t>(bytes[4 * i + 2]) << 8 |
               std::to_integer<std::uint32_t>(bytes[4 * i + 3]);
    for (int i = 16; i < 80; ++i) w[i] = std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    std::uint32_t a = state_[0];
    std::uint32_t b = state_[1];
    std::uint32_t c = state_[2];
    std::uint32_t d = state_[3];
    std::uint32_t e = state_[4];
    // Five rounds at a time, so that the words change their roles without being moved.
    const auto rounds = [&](int first, std::uint32_t constant, auto mix) {
        const auto one = [&](std::uint32_t v, std::uint32_t& x, std::uint32_t y, std::uint32_t z,
                             std::uint32_t& last, int i) {
            last += std::rotl(v, 5) + mix(x, y, z) + constant + w[i];
            x = std::rotl(x, 30);
        };
        for (int i = first; i < first + 20; i += 5) {
            one(a, b, c, d, e, i);
            one(e, a, b, c, d, i + 1);
            one(d, e, a, b, c, i + 2);
            one(c, d, e, a, b, i + 3);
            one(b, c, d, e, a, i + 4);
        }
    };
    using Word = std::uint32_t;
    const auto parity = [](Word x, Word y, Word z) { return x ^ y ^ z; };
    rounds(0, 0x5A827999, [](Word x, Word y, Word z) { return z ^ (x & (y ^ z)); });
    rounds(20, 0x6ED9EBA1, parity);
    rounds(40, 0x8F1BBCDC, [](Word x, Word y, Word z) { return (x & y) | (z & (x | y)); });
    rounds(60, 0xCA62C1D6, parity);
    state_[0] += a;
    state_[1] += b;
    state_[2] += c;
    state_[3] += d;
    state_[4] += e;
}

void Sha1::update(std::span<const std::byte> bytes) {
    total_ += bytes.size();
    if (pending_size_ > 0) {
        const std::size_t take = std::min(bytes.size(), pending_.size() - pending_size_);
        std::memcpy(pending_.data() + pending_size_, bytes.data(), take);
        pending_size_ += take;
        bytes = bytes.subspan(take);
        if (pending_size_ < pending_.size()) return;
        block(pending_.data());
        pending_size_ = 0;
    }
    for (; bytes.size() >= pending_.size(); bytes = bytes.subspan(pending_.size()))
        block(bytes.data());
    if (!bytes.empty()) std::memcpy(pending_.data(), bytes.data(), bytes.size());
    pending_size_ = bytes.size();
}

std::string Sha1::hex() {
    const std::uint64_t bits = total_ * 8;
    std::array<std::byte, 72> tail{std::byte{0x80}};
    const std::size_t zeros = (pending_size_ < 56 ? 56 : 120) - pending_size_;
    for (int i = 0; i < 8; ++i) tail[zeros + i] = static_cast<std::byte>(bits >> (56 - 8 * i));
    update({tail.data(), zeros + 8});
    return fmt::format("{:08x}{:08x}{:08x}{:08x}{:08x}", state_[0], state_[1], state_[2], state_[3],
                       state_[4]);
}

}  // namespace smeta::io::detail
