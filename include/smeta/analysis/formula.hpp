#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace smeta::analysis {

inline constexpr double kElectronMass = 0.000548579909;  // Da (CODATA 2006, as the element masses)

/// Counts of elements by symbol; a loss in an adduct is negative.
using Formula = std::map<std::string, std::int32_t, std::less<>>;

/// "C15H18O2Br2", "Ca(OH)2", "(CH3)3N"; nothing for other text: unknown symbols, residues (R, X),
/// charges, dots. D is deuterium and unknown here. Local.
std::optional<Formula> parse_formula(std::string_view text);
/// Hill order: C, H, then the others by name.
std::string to_string(const Formula& formula);
/// Sum of the masses of the most abundant isotopes, Da. Elements must be known.
double monoisotopic_mass(const Formula& formula);
/// `sum` of two; entries that cancel are removed.
Formula add(const Formula& a, const Formula& b, std::int32_t times = 1);

/// An ion of `copies` molecules with atoms added and lost.
struct Adduct {
    std::string name;  ///< "M+H", "2M+Na", "M+2H", "M+ACN+H"
    std::int32_t copies = 1;
    Formula added;            ///< gains positive, losses negative
    std::int32_t charge = 1;  ///< of the ion, signed
};

/// Reads "M+H", "[M-H2O-H]-", "[M+2H]2+", "+K", "2M+FA-H": FA (formic acid), Hac, ACN, MeOH,
/// CH3OH, IsoProp, DMSO, TFA and the labels FMP10 and dFMP10 are molecules. The charge follows from
/// the atoms: H, Na, K, Li, NH4, Ag, Cu, FMP10 gained +1 each, Cl, Br, I gained -1, H, Na, K lost
/// -1; a stated charge must agree. ConfigError for text that is no adduct or has no charge. Local.
Adduct parse_adduct(std::string_view text);
/// The usual ones of a polarity, all singly charged: M+H, M+Na, M+K, M+NH4 / M-H, M+Cl.
std::vector<Adduct> usual_adducts(std::int32_t polarity);
/// The whole table of a polarity (30 positive, 14 negative).
std::vector<Adduct> all_adducts(std::int32_t polarity);
/// Ions of molecules with one to three hydrogens replaced by the reactive matrix FMP-10
/// (Shariatgorji et al., Nature Methods 2019), charge 1: of several labels all but one lose their
/// charge, with their methyl or with another hydrogen. Local.
std::vector<Adduct> fmp10_adducts();

/// The ion's atoms; nothing when the molecules lack atoms that the adduct loses.
std::optional<Formula> ion_formula(const Formula& molecule, const Adduct& adduct);
/// m/z of an ion, electrons included: M+H of glucose is 181.07066, not 181.07121.
double ion_mz(const Formula& ion, std::int32_t charge);

/// Peaks one and two mass numbers above the monoisotopic one, relative to it.
struct IsotopePeaks {
    double plus_one = 0;
    double plus_one_mass = 0;  ///< heavier by so much (mean over the isotopes), Da
    double plus_two = 0;
    double plus_two_mass = 0;
};
IsotopePeaks isotope_peaks(const Formula& ion);

}  // namespace smeta::analysis
