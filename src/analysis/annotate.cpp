#include "smeta/analysis/annotate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <string_view>
#include <tuple>

#include "smeta/core/error.hpp"
#include "smeta/core/random.hpp"

namespace smeta::analysis {
namespace {

/// METASPACE's decoy adducts: elements that form no such ion in a mass spectrometer.
constexpr std::array<std::string_view, 80> kDecoys = {
    "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Mg", "Al", "Si", "P",  "S",  "Cl", "Ar",
    "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br",
    "Kr", "Rb", "Sr", "Y",  "Zr", "Nb", "Mo", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te",
    "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Ir", "Th",
    "Pt", "Os", "Yb", "Lu", "Bi", "Pb", "Re", "Tl", "Tm", "U",  "W",  "Au", "Er", "Hf", "Hg", "Ta"};

constexpr std::uint64_t kDecoyDraws = 0xDEC0;  // keeps these draws apart from clustering's

/// An ion of a decoy near a measured m/z.
struct DecoyHit {
    std::int32_t adduct = 0;
    double ppm_error = 0;
};

/// Measured m/z of one polarity, ascending.
class MassIndex {
  public:
    MassIndex(const std::vector<MassFeature>& features, std::int32_t sign) {
        for (std::size_t f = 0; f < features.size(); ++f)
            if (features[f].polarity == sign)
                entries_.push_back({features[f].mz, static_cast<std::int32_t>(f)});
        std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
            return std::tie(a.mz, a.feature) < std::tie(b.mz, b.feature);
        });
    }
    /// Calls visit(feature, ppm error) for the features within `ppm` of an ion.
    template <class Visit>
    void near(double mz, double ppm, const Visit& visit) const {
        const double reach = mz * ppm * 1e-6;
        auto at = std::lower_bound(entries_.begin(), entries_.end(), mz - reach,
                                   [](const Entry& e, double value) { return e.mz < value; });
        for (; at != entries_.end() && at->mz <= mz + reach; ++at)
            visit(at->feature, (at->mz - mz) / mz * 1e6);
    }

  private:
    struct Entry {
        double mz;
        std::int32_t feature;
    };
    std::vector<Entry> entries_;
};

/// The `count` decoy elements of a molecule and adduct: the first of a shuffle.
std::vector<std::string_view> draw_decoys(std::string_view formula, std::string_view adduct,
                                          std::int64_t count, std::uint64_t seed) {
    const core::Philox random(seed, core::DrawPurpose::Cluster, kDecoyDraws,
                              {core::sample_key(formula), core::sample_key(adduct)});
    auto left = kDecoys;
    std::vector<std::string_view> drawn;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto pick = static_cast<std::size_t>(
            i + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(i),
                                                       left.size() - static_cast<std::size_t>(i))));
        std::swap(left[i], left[pick]);
        drawn.push_back(left[i]);
    }
    return drawn;
}

struct Found {
    std::vector<Candidate> candidates;
    std::vector<DecoyHit> decoys;
};

/// Candidates and decoys' hits of the molecules [first, last).
Found search(const std::vector<MassFeature>& features, const MetaboliteTable& table,
             const AnnotateOptions& options, const comm::Range& molecules) {
    const MassIndex positive(features, 1);
    const MassIndex negative(features, -1);
    Found found;
    for (auto i = molecules.first; i < molecules.last; ++i) {
        const auto& molecule = table.isomers[i];
        for (std::size_t a = 0; a < options.adducts.size(); ++a) {
            const auto& adduct = options.adducts[a];
            const auto ion = ion_formula(molecule.formula, adduct);
            if (!ion) continue;
            const std::int32_t sign = adduct.charge > 0 ? 1 : -1;
            const auto& index = sign > 0 ? positive : negative;
            const double mz = ion_mz(*ion, adduct.charge);
            index.near(mz, options.ppm, [&](std::int32_t feature, double error) {
                found.candidates.push_back({feature,
                                            static_cast<std::int32_t>(i),
                                            static_cast<std::int32_t>(a),
                                            mz,
                                            error,
                                            0,
                                            {}});
            });
            for (const auto element :
                 draw_decoys(molecule.text, adduct.name, options.decoys, options.seed)) {
                const auto decoy = add(molecule.formula, {{std::string(element), 1}});
                index.near(ion_mz(decoy, sign), options.ppm, [&](std::int32_t, double error) {
                    found.decoys.push_back({static_cast<std::int32_t>(a), error});
                });
            }
        }
    }
    return found;
}

template <class T>
std::vector<T> everywhere(const comm::Comm& comm, const std::vector<T>& mine) {
    std::vector<T> all;
    for (const auto& part : comm.allgather(std::span<const T>(mine)))
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

/// Gives the candidates of one adduct their false discovery rates: at each error the decoys within
/// it over the candidates within it, made monotone from the largest error down.
void set_fdr(std::vector<Candidate*> candidates, std::vector<double> decoys, std::int64_t draws) {
    std::sort(candidates.begin(), candidates.end(), [](const Candidate* a, const Candidate* b) {
        return std::abs(a->ppm_error) < std::abs(b->ppm_error);
    });
    std::sort(decoys.begin(), decoys.end());
    double smallest = 1;
    for (std::size_t rank = candidates.size(); rank > 0; --rank) {
        const double error = std::abs(candidates[rank - 1]->ppm_error);
        const auto within = std::upper_bound(decoys.begin(), decoys.end(), error) - decoys.begin();
        const double rate =
            static_cast<double>(within) / static_cast<double>(draws) / static_cast<double>(rank);
        smallest = std::min(smallest, rate);
        candidates[rank - 1]->fdr = smallest;
    }
}

AdductSummary summarise(const std::vector<Candidate>& candidates, std::int64_t decoys,
                        std::int64_t draws, std::int32_t adduct) {
    AdductSummary summary;
    std::set<std::int32_t> features;
    for (const auto& candidate : candidates) {
        if (adduct >= 0 && candidate.adduct != adduct) continue;
        ++summary.candidates;
        features.insert(candidate.feature);
    }
    summary.features = static_cast<std::int64_t>(features.size());
    summary.decoys = static_cast<double>(decoys) / static_cast<double>(draws);
    summary.fdr = std::numeric_limits<double>::quiet_NaN();
    if (summary.candidates > 0)
        summary.fdr = std::min(1.0, summary.decoys / static_cast<double>(summary.candidates));
    return summary;
}

}  // namespace

Annotation annotate(const comm::Comm& comm, const std::vector<MassFeature>& features,
                    const MetaboliteTable& table, const AnnotateOptions& options) {
    Found mine;
    comm.all_or_throw([&] {
        mine = search(features, table, options,
                      comm::even_share(static_cast<std::int64_t>(table.isomers.size()), comm.size(),
                                       comm.rank()));
    });
    Annotation result;
    result.candidates = everywhere(comm, mine.candidates);
    const auto decoys = everywhere(comm, mine.decoys);
    for (std::size_t a = 0; a < options.adducts.size(); ++a) {
        std::vector<Candidate*> of_adduct;
        for (auto& candidate : result.candidates)
            if (candidate.adduct == static_cast<std::int32_t>(a)) of_adduct.push_back(&candidate);
        std::vector<double> errors;
        for (const auto& hit : decoys)
            if (hit.adduct == static_cast<std::int32_t>(a))
                errors.push_back(std::abs(hit.ppm_error));
        set_fdr(of_adduct, errors, options.decoys);
        result.adducts.push_back(summarise(result.candidates,
                                           static_cast<std::int64_t>(errors.size()), options.decoys,
                                           static_cast<std::int32_t>(a)));
    }
    result.all =
        summarise(result.candidates, static_cast<std::int64_t>(decoys.size()), options.decoys, -1);
    for (const auto& hit : decoys) result.decoy_errors.push_back(hit.ppm_error);
    std::sort(result.candidates.begin(), result.candidates.end(),
              [](const Candidate& a, const Candidate& b) {
                  return std::make_tuple(a.feature, std::abs(a.ppm_error), a.isomers, a.adduct) <
                         std::make_tuple(b.feature, std::abs(b.ppm_error), b.isomers, b.adduct);
              });
    return result;
}

}  // namespace smeta::analysis
