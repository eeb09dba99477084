#pragma once

#include <string_view>

namespace smeta::analysis::detail {

/// An element's most abundant isotope and the two that are heavier by one and two mass numbers.
struct Element {
    std::string_view symbol;
    double mass = 0;           ///< of the most abundant isotope, Da
    double plus_one = 0;       ///< abundance over that of the most abundant isotope
    double plus_one_mass = 0;  ///< heavier by so much, Da
    double plus_two = 0;
    double plus_two_mass = 0;
};

/// Nothing for a symbol that is no element with stable isotopes. Local.
const Element* find_element(std::string_view symbol);

}  // namespace smeta::analysis::detail
