#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

/// Random damage to files, a function of a seed alone.
namespace smeta::fuzz {

/// SplitMix64: small, and the same everywhere.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next();
    /// In [0, bound); bound >= 1.
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }
    bool one_in(std::size_t n) { return below(n) == 0; }
    template <class Container>
    const auto& pick(const Container& container) {
        return container[below(std::size(container))];
    }

  private:
    std::uint64_t state_;
};

/// Bits, bytes and integers set to extremes; blocks cut, doubled and exchanged; truncation.
void mutate_bytes(std::string& bytes, Random& random);

/// Beside that: numbers set to extremes, lines and attributes left out, doubled and exchanged,
/// quoted texts exchanged, deep nesting.
void mutate_text(std::string& text, Random& random);

/// Changes an HDF5 file through the library: links left out, moved, made soft, external or cyclic;
/// datasets of other types, shapes, values and stored bytes; attributes left out and replaced.
/// Returns what was done, for people.
std::string mutate_h5(const std::filesystem::path& path, Random& random);

}  // namespace smeta::fuzz
