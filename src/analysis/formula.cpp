#include "smeta/analysis/formula.hpp"

#include <cmath>

#include "smeta/core/error.hpp"

#include "elements.hpp"

namespace smeta::analysis {
namespace {

constexpr std::int32_t kMostAtoms = 100'000;

bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Recursive descent over groups in parentheses.
class FormulaParser {
  public:
    explicit FormulaParser(std::string_view text) : text_(text) {}
    std::optional<Formula> parse() {
        const auto formula = group(0);
        if (!formula || at_ != text_.size() || formula->empty()) return std::nullopt;
        return formula;
    }

  private:
    std::optional<Formula> group(int depth) {
        constexpr int kMostNested = 20;
        Formula sum;
        while (at_ < text_.size() && text_[at_] != ')') {
            std::optional<Formula> part;
            if (text_[at_] == '(') {
                if (depth >= kMostNested) return std::nullopt;
                ++at_;
                part = group(depth + 1);
                if (!part || at_ == text_.size()) return std::nullopt;
                ++at_;
            } else {
                part = element();
            }
            const auto times = count();
            if (!part || !times) return std::nullopt;
            sum = add(sum, *part, *times);
            for (const auto& [symbol, atoms] : sum)
                if (atoms > kMostAtoms) return std::nullopt;
        }
        if (depth == 0 && at_ < text_.size()) return std::nullopt;
        return sum;
    }
    std::optional<Formula> element() {
        if (!is_upper(text_[at_])) return std::nullopt;
        std::size_t length = 1;
        while (at_ + length < text_.size() && is_lower(text_[at_ + length])) ++length;
        const auto symbol = text_.substr(at_, length);
        if (detail::find_element(symbol) == nullptr) return std::nullopt;
        at_ += length;
        return Formula{{std::string(symbol), 1}};
    }
    std::optional<std::int32_t> count() {
        if (at_ == text_.size() || !is_digit(text_[at_])) return 1;
        std::int32_t value = 0;
        for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
            value = value * 10 + (text_[at_] - '0');
            if (value > kMostAtoms) return std::nullopt;
        }
        return value > 0 ? std::optional(value) : std::nullopt;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

/// Relative abundance of an offset in mass number, and that times the offset's mass.
struct Peak {
    double abundance = 0;
    double moment = 0;
};
struct Pattern {
    Peak zero{1, 0}, one, two;
};

Peak product(const Peak& a, const Peak& b) {
    return {a.abundance * b.abundance, a.abundance * b.moment + a.moment * b.abundance};
}
Peak sum(const Peak& a, const Peak& b) {
    return {a.abundance + b.abundance, a.moment + b.moment};
}
Pattern product(const Pattern& a, const Pattern& b) {
    return {product(a.zero, b.zero), sum(product(a.zero, b.one), product(a.one, b.zero)),
            sum(sum(product(a.zero, b.two), product(a.two, b.zero)), product(a.one, b.one))};
}

}  // namespace

std::optional<Formula> parse_formula(std::string_view text) {
    return FormulaParser(text).parse();
}

std::string to_string(const Formula& formula) {
    std::string text;
    const auto append = [&](const std::string& symbol, std::int32_t count) {
        text += symbol;
        if (count != 1) text += std::to_string(count);
    };
    const bool has_carbon = formula.count("C") != 0;
    if (has_carbon)
        for (const char* symbol : {"C", "H"})
            if (const auto found = formula.find(symbol); found != formula.end())
                append(found->first, found->second);
    for (const auto& [symbol, count] : formula)
        if (!has_carbon || (symbol != "C" && symbol != "H")) append(symbol, count);
    return text;
}

double monoisotopic_mass(const Formula& formula) {
    double mass = 0;
    for (const auto& [symbol, count] : formula) {
        const auto* element = detail::find_element(symbol);
        core::check(element != nullptr, "an element");
        mass += element->mass * count;
    }
    return mass;
}

Formula add(const Formula& a, const Formula& b, std::int32_t times) {
    Formula sum = a;
    for (const auto& [symbol, count] : b)
        if ((sum[symbol] += count * times) == 0) sum.erase(symbol);
    return sum;
}

std::optional<Formula> ion_formula(const Formula& molecule, const Adduct& adduct) {
    Formula ion = add({}, molecule, adduct.copies);
    ion = add(ion, adduct.added);
    for (const auto& [symbol, count] : ion)
        if (count < 0) return std::nullopt;
    return ion;
}

double ion_mz(const Formula& ion, std::int32_t charge) {
    core::check(charge != 0, "an ion has a charge");
    return (monoisotopic_mass(ion) - charge * kElectronMass) / std::abs(charge);
}

IsotopePeaks isotope_peaks(const Formula& ion) {
    Pattern pattern;
    for (const auto& [symbol, count] : ion) {
        const auto* e = detail::find_element(symbol);
        core::check(e != nullptr, "an element");
        Pattern square{{1, 0},
                       {e->plus_one, e->plus_one * e->plus_one_mass},
                       {e->plus_two, e->plus_two * e->plus_two_mass}};
        for (auto left = count; left > 0; left /= 2) {
            if (left % 2 == 1) pattern = product(pattern, square);
            square = product(square, square);
        }
    }
    const auto mass = [](const Peak& peak) {
        return peak.abundance > 0 ? peak.moment / peak.abundance : 0;
    };
    return {pattern.one.abundance, mass(pattern.one), pattern.two.abundance, mass(pattern.two)};
}

}  // namespace smeta::analysis
