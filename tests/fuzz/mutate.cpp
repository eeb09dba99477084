#include "mutate.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <utility>
#include <vector>

namespace smeta::fuzz {

namespace {

constexpr std::size_t kLargest = std::size_t{1} << 20;  // an input grows no further

/// [first, first + size) of a text.
struct Range {
    std::size_t first = 0;
    std::size_t size = 0;
    std::size_t end() const { return first + size; }
};

Range random_range(const std::string& text, Random& random) {
    const std::size_t first = random.below(text.size());
    const std::size_t longest = std::min<std::size_t>(text.size() - first, 1 + random.below(64));
    return {first, 1 + random.below(longest)};
}

void duplicate(std::string& text, const Range& range, std::size_t times) {
    if (range.size == 0) return;  // an empty text in quotes
    const std::string copy = text.substr(range.first, range.size);
    times = std::min(times, kLargest / range.size);
    std::string copies;
    for (std::size_t i = 0; i < times; ++i) copies += copy;
    text.insert(range.end(), copies);
}

/// Exchanges two ranges; does nothing when they overlap.
void exchange(std::string& text, Range a, Range b) {
    if (b.first < a.first) std::swap(a, b);
    if (a.end() > b.first) return;
    const std::string first = text.substr(a.first, a.size);
    const std::string second = text.substr(b.first, b.size);
    text.replace(b.first, b.size, first);
    text.replace(a.first, a.size, second);
}

void set_integer(std::string& bytes, Random& random) {
    constexpr std::array<std::uint64_t, 12> kExtremes = {0,
                                                         1,
                                                         0x7F,
                                                         0xFF,
                                                         0x7FFFFFFF,
                                                         0x80000000,
                                                         0xFFFFFFFF,
                                                         0x100000000,
                                                         0x7FFFFFFFFFFFFFFF,
                                                         0x1ULL << 63,
                                                         ~0ULL,
                                                         0x7FF0000000000000};
    const std::uint64_t value = random.pick(kExtremes);
    const std::size_t size = std::min<std::size_t>(std::size_t{1} << random.below(4), bytes.size());
    std::memcpy(bytes.data() + random.below(bytes.size() - size + 1), &value, size);
}

void mutate_block(std::string& bytes, Random& random) {
    const Range range = random_range(bytes, random);
    switch (random.below(5)) {
        case 0:
            bytes.erase(range.first, range.size);
            break;
        case 1:
            duplicate(bytes, range, 1);
            break;
        case 2:
            duplicate(bytes, range, 1 + random.below(5000));
            break;
        case 3:
            exchange(bytes, range, random_range(bytes, random));
            break;
        default:
            bytes.resize(random.below(bytes.size()));
    }
}

/// Ranges of the text that `is_part` accepts, as long as they go.
template <class Predicate>
std::vector<Range> runs(const std::string& text, Predicate is_part) {
    std::vector<Range> found;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i;
        while (end < text.size() && is_part(text[end])) ++end;
        if (end > i) found.push_back({i, end - i});
        i = end + 1;
    }
    return found;
}

std::vector<Range> numbers(const std::string& text) {
    return runs(
        text, [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.'; });
}

std::vector<Range> lines(const std::string& text) {
    auto found = runs(text, [](char c) { return c != '\n'; });
    for (Range& line : found)
        if (line.end() < text.size()) ++line.size;
    return found;
}

/// Texts between quotes, without them.
std::vector<Range> quoted_texts(const std::string& text) {
    std::vector<Range> found;
    for (std::size_t i = text.find('"'); i != std::string::npos; i = text.find('"', i + 1)) {
        const std::size_t end = text.find('"', i + 1);
        if (end == std::string::npos) break;
        found.push_back({i + 1, end - i - 1});
        i = end;
    }
    return found;
}

/// name="value" with the blank before it.
std::vector<Range> attributes(const std::string& text) {
    std::vector<Range> found;
    for (const Range& value : quoted_texts(text)) {
        if (value.first < 2 || text[value.first - 2] != '=') continue;
        const std::size_t blank = text.find_last_of(" \n", value.first);
        if (blank != std::string::npos) found.push_back({blank, value.end() + 1 - blank});
    }
    return found;
}

void mutate_number(std::string& text, Random& random) {
    static const std::vector<std::string> kExtremes = {"0",
                                                       "-1",
                                                       "1",
                                                       "2",
                                                       "0.5",
                                                       "-0",
                                                       "255",
                                                       "65536",
                                                       "2147483647",
                                                       "2147483648",
                                                       "-2147483649",
                                                       "4294967295",
                                                       "4294967296",
                                                       "1000000000000",
                                                       "9223372036854775807",
                                                       "9223372036854775808",
                                                       "-9223372036854775808",
                                                       "18446744073709551616",
                                                       "1e308",
                                                       "1e400",
                                                       "-1e400",
                                                       "1e-400",
                                                       "3.5e38",
                                                       "nan",
                                                       "inf",
                                                       "-inf",
                                                       "NA",
                                                       "",
                                                       "x",
                                                       "0x10",
                                                       "1e",
                                                       "+1",
                                                       "1_000",
                                                       "1,5"};
    const auto found = numbers(text);
    if (found.empty()) return;
    const Range& number = random.pick(found);
    text.replace(number.first, number.size, random.pick(kExtremes));
}

void mutate_parts(std::string& text, const std::vector<Range>& parts, Random& random) {
    if (parts.empty()) return;
    const Range& part = random.pick(parts);
    const Range& other = random.pick(parts);
    switch (random.below(5)) {
        case 0:
            text.erase(part.first, part.size);
            break;
        case 1:
            duplicate(text, part, 1);
            break;
        case 2:
            exchange(text, part, other);
            break;
        case 3:
            text.replace(part.first, part.size, text.substr(other.first, other.size));
            break;
        default:
            if (random.one_in(8)) duplicate(text, part, 1 + random.below(2000));
    }
}

void nest(std::string& text, Random& random) {
    static const std::vector<std::string> kOpenings = {"[",   "{\"a\":", "<a>", "(",
                                                       "{a=", "a.",      "[["};
    const std::string& opening = random.pick(kOpenings);
    std::string copies;
    for (std::size_t depth = std::size_t{1} << random.below(18); depth > 0; --depth)
        copies += opening;
    text.insert(random.below(text.size() + 1), copies);
}

}  // namespace

std::uint64_t Random::next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

void mutate_bytes(std::string& bytes, Random& random) {
    for (std::size_t times = 1 + random.below(4); times > 0 && !bytes.empty(); --times) {
        const std::size_t at = random.below(bytes.size());
        switch (random.below(6)) {
            case 0:
                bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
                break;
            case 1:
                bytes[at] = static_cast<char>(random.next());
                break;
            case 2:
                bytes.insert(at, 1, static_cast<char>(random.next()));
                break;
            case 3:
                set_integer(bytes, random);
                break;
            default:
                mutate_block(bytes, random);
        }
    }
}

void mutate_text(std::string& text, Random& random) {
    for (std::size_t times = 1 + random.below(3); times > 0 && !text.empty(); --times) {
        switch (random.below(7)) {
            case 0:
            case 1:
                mutate_number(text, random);
                break;
            case 2:
                mutate_parts(text, lines(text), random);
                break;
            case 3:
                mutate_parts(text, attributes(text), random);
                break;
            case 4:
                mutate_parts(text, quoted_texts(text), random);
                break;
            case 5:
                if (random.one_in(10)) nest(text, random);
                break;
            default:
                mutate_bytes(text, random);
        }
    }
}

}  // namespace smeta::fuzz
