#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace smeta::core {

/// What a draw is for; part of the key, so that two uses never share numbers. Append only: the
/// value is stored by results.
enum class DrawPurpose : std::uint64_t {
    Initialise = 1,
    Dropout = 2,
    LatentNoise = 3,
    DealBlocks = 4,
    EpochOrder = 5,
    Validation = 6,
    Simulate = 7,
    Cluster = 8,
    Test = 9,
};

/// Identity of one row, independent of rank, shard and the other samples: XXH3-64 of the sample's
/// name and the row in it.
struct RowKey {
    std::uint64_t sample = 0;
    std::uint64_t row = 0;
    bool operator==(const RowKey&) const = default;
};

/// XXH3-64 of the sample's name.
std::uint64_t sample_key(std::string_view sample_name);

/// Stateless counter-based generator (Philox4x64-10 of Salmon et al., SC'11, through Random123):
/// the value of a draw is a pure function of (seed, purpose, epoch, row key, draw), whatever the
/// ranks, threads and order of evaluation. Local.
class Philox {
  public:
    Philox(std::uint64_t seed, DrawPurpose purpose, std::uint64_t epoch = 0, RowKey row = {})
        : seed_(seed), purpose_(static_cast<std::uint64_t>(purpose)), epoch_(epoch), row_(row) {}

    /// Four independent 64-bit words of block `block`. Draw d of the functions below uses word d %
    /// 4 of block d / 4.
    std::array<std::uint64_t, 4> words(std::uint64_t block) const;
    /// Uniform in [0, 1) with 53 bits.
    double uniform(std::uint64_t draw) const;
    /// Uniform integer in [0, bound), bound >= 1, without modulo bias above 2^-32 (128-bit
    /// multiply-shift).
    std::uint64_t below(std::uint64_t draw, std::uint64_t bound) const;
    /// Standard normal (Box-Muller on the words of one block: draws 2k and 2k + 1 share a pair).
    double normal(std::uint64_t draw) const;

  private:
    std::uint64_t seed_;
    std::uint64_t purpose_;
    std::uint64_t epoch_;
    RowKey row_;
};

}  // namespace smeta::core
