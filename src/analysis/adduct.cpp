#include <array>
#include <cstdlib>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>

#include "smeta/analysis/formula.hpp"
#include "smeta/core/error.hpp"
#include "smeta/io/text_table.hpp"

namespace smeta::analysis {
namespace {

// FMP10: what the matrix FMP-10 puts in place of a hydrogen, charged; dFMP10: the same without its
// methyl and its charge.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kMolecules = {{
    {"FA", "CH2O2"},
    {"Hac", "C2H4O2"},
    {"HAc", "C2H4O2"},
    {"ACN", "C2H3N"},
    {"MeOH", "CH4O"},
    {"IsoProp", "C3H8O"},
    {"DMSO", "C2H6OS"},
    {"TFA", "C2HF3O2"},
    {"FMP10", "C20H14N"},
    {"dFMP10", "C19H11N"},
}};

constexpr std::array<std::string_view, 30> kPositive = {
    "M+H",       "M+NH4",       "M+Na",     "M+K",     "M+CH3OH+H", "M+ACN+H",
    "M+2Na-H",   "M+IsoProp+H", "M+ACN+Na", "M+2K-H",  "M+DMSO+H",  "M+2ACN+H",
    "M-H2O+H",   "2M+H",        "2M+NH4",   "2M+Na",   "2M+K",      "2M+ACN+H",
    "2M+ACN+Na", "M+2H",        "M+H+NH4",  "M+H+Na",  "M+H+K",     "M+ACN+2H",
    "M+2Na",     "M+2ACN+2H",   "M+3H",     "M+2H+Na", "M+H+2Na",   "M+3Na"};

constexpr std::array<std::string_view, 14> kNegative = {
    "M-H",  "M+Cl",    "M-H2O-H", "M+Na-2H", "M+K-2H",   "M+FA-H", "M+Hac-H",
    "M+Br", "M+TFA-H", "2M-H",    "2M+FA-H", "2M+Hac-H", "3M-H",   "M-2H"};

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
    throw core::ConfigError(fmt::format(
        "adduct '{}': {}; adducts are written as M+H, M+2H, 2M+Na, M-H2O-H, M+Cl", text, why));
}

/// Charge that one atom group brings when it is gained; nothing for a neutral molecule.
std::int32_t charge_of(std::string_view part) {
    for (const std::string_view positive :
         {"H", "Na", "K", "Li", "NH4", "Ag", "Cu", "Rb", "Cs", "FMP10"})
        if (part == positive) return 1;
    for (const std::string_view negative : {"Cl", "Br", "I", "F"})
        if (part == negative) return -1;
    return 0;
}

struct Text {
    std::string_view body;    ///< "2M+Na"
    std::string_view charge;  ///< "2+", or empty
};

/// "[2M+Na]+" without its brackets.
Text without_brackets(std::string_view text) {
    if (text.empty() || text.front() != '[') return {text, {}};
    const auto end = text.find(']');
    if (end == std::string_view::npos) refuse(text, "no closing bracket");
    return {text.substr(1, end - 1), text.substr(end + 1)};
}

/// "+", "-", "2+" as a number; 0 for anything else.
std::int32_t stated_charge(std::string_view text) {
    if (text.empty() || (text.back() != '+' && text.back() != '-')) return 0;
    const auto size = text.size() == 1 ? 1 : io::parse_integer(text.substr(0, text.size() - 1));
    if (!size || *size < 1 || *size > 9) return 0;
    return static_cast<std::int32_t>(text.back() == '+' ? *size : -*size);
}

/// Cuts a number from the front; 1 when there is none.
std::int32_t take_count(std::string_view& text, std::string_view whole) {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    if (digits == 0) return 1;
    const auto value = io::parse_integer(text.substr(0, digits));
    if (!value || *value < 1 || *value > 99) refuse(whole, "a number out of range");
    text.remove_prefix(digits);
    return static_cast<std::int32_t>(*value);
}

Formula formula_of(std::string_view part, std::string_view whole) {
    std::string_view formula = part;
    for (const auto& [name, atoms] : kMolecules)
        if (name == part) formula = atoms;
    const auto parsed = parse_formula(formula);
    if (!parsed) refuse(whole, fmt::format("'{}' is neither a formula nor a known molecule", part));
    return *parsed;
}

std::vector<Adduct> parse_all(std::initializer_list<std::string_view> names) {
    std::vector<Adduct> adducts;
    for (const auto name : names) adducts.push_back(parse_adduct(name));
    return adducts;
}

}  // namespace

Adduct parse_adduct(std::string_view text) {
    const Text parts = without_brackets(text);
    auto rest = parts.body;
    Adduct adduct;
    adduct.charge = 0;
    if (!rest.empty() && rest.front() != '+' && rest.front() != '-') {
        adduct.copies = take_count(rest, text);
        if (rest.empty() || rest.front() != 'M') refuse(text, "no molecule M");
        rest.remove_prefix(1);
    }
    adduct.name = (adduct.copies > 1 ? std::to_string(adduct.copies) : "") + "M";
    adduct.name += rest;
    while (!rest.empty()) {
        const std::int32_t sign = rest.front() == '+' ? 1 : -1;
        if (rest.front() != '+' && rest.front() != '-') refuse(text, "no sign before a part");
        rest.remove_prefix(1);
        const auto count = take_count(rest, text);
        const auto part = rest.substr(0, rest.find_first_of("+-"));
        if (part.empty()) refuse(text, "an empty part");
        adduct.added = add(adduct.added, formula_of(part, text), sign * count);
        adduct.charge += sign * count * charge_of(part);
        rest.remove_prefix(part.size());
    }
    const auto stated = stated_charge(parts.charge);
    if (!parts.charge.empty() && stated == 0) refuse(text, "the charge is not as +, -, 2+");
    if (adduct.added.empty() && stated != 0) adduct.charge = stated;
    if (adduct.charge == 0) refuse(text, "an ion without charge");
    if (stated != 0 && stated != adduct.charge)
        refuse(text, fmt::format("its atoms make the charge {:+}, stated is {:+}", adduct.charge,
                                 stated));
    return adduct;
}

std::vector<Adduct> usual_adducts(std::int32_t polarity) {
    return polarity > 0 ? parse_all({"M+H", "M+Na", "M+K", "M+NH4"}) : parse_all({"M-H", "M+Cl"});
}

std::vector<Adduct> fmp10_adducts() {
    return parse_all({"M+FMP10", "M+FMP10+dFMP10", "M+2FMP10-H", "M+FMP10+2dFMP10",
                      "M+2FMP10+dFMP10-H", "M+3FMP10-2H"});
}

std::vector<Adduct> all_adducts(std::int32_t polarity) {
    std::vector<Adduct> adducts;
    if (polarity > 0)
        for (const auto name : kPositive) adducts.push_back(parse_adduct(name));
    else
        for (const auto name : kNegative) adducts.push_back(parse_adduct(name));
    return adducts;
}

}  // namespace smeta::analysis
