#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/analysis/formula.hpp"
#include "smeta/analysis/metabolites.hpp"
#include "smeta/analysis/run_values.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

/// Polarity of metabolites whose table does not say it.
enum class Polarity { Unset, Positive, Negative };

/// A measured m/z.
struct MassFeature {
    std::string name;
    double mz = 0;
    std::int32_t polarity = 1;  ///< +1 or -1
};

/// The metabolites (modality "sm") of some samples with an m/z, by m/z: columns mz and polarity of
/// the joint files. ConfigError where the polarity is neither there nor set; FormatError where no
/// feature has an m/z. Collective.
std::vector<MassFeature> mass_features(const comm::Comm& comm, const atlas::Run& run,
                                       const std::vector<std::string>& samples, Polarity unset);

struct AnnotateOptions {
    double ppm = 5;
    std::vector<Adduct> adducts;  ///< of both polarities
    std::int64_t decoys = 20;
    std::uint64_t seed = 1;
};
/// The named adducts of the features' polarities; of no name the usual ones, of "all" the whole
/// table, of "fmp10" those of that matrix. ConfigError for one that is no adduct or comes twice,
/// and where none is left. Local.
std::vector<Adduct> chosen_adducts(const std::vector<std::string>& names,
                                   const std::vector<MassFeature>& features);

/// Isotope peak one mass number up, where it was measured.
struct IsotopeCheck {
    std::int32_t feature = -1;  ///< the peak; -1: not measured
    double expected = 0;        ///< intensity over the monoisotopic one's, from abundances
    double observed = 0;        ///< mean over mean
    double correlation = 0;     ///< over the spots (Pearson)
    /// Correlation at least 0.5 and observed within a factor of 2 of expected.
    bool is_supported() const;
};

/// An ion whose m/z lies within ppm of a measured one.
struct Candidate {
    std::int32_t feature = 0;
    std::int32_t isomers = 0;  ///< position in MetaboliteTable::isomers
    std::int32_t adduct = 0;
    double mz = 0;         ///< of the ion
    double ppm_error = 0;  ///< (measured - ion) / ion
    double fdr = 0;  ///< share of false ones among the candidates of this adduct with at most this
                     ///< error, estimated from decoys
    IsotopeCheck isotope;
};

struct AdductSummary {
    std::int64_t candidates = 0;
    std::int64_t features = 0;  ///< with a candidate
    double decoys = 0;          ///< candidates of decoys, for one draw
    double fdr = 0;             ///< decoys / candidates, at most 1; NaN without candidates
};

struct Annotation {
    std::vector<Candidate> candidates;   ///< by feature, then absolute error
    std::vector<AdductSummary> adducts;  ///< of each adduct of the options
    AdductSummary all;
    std::vector<double> decoy_errors;  ///< ppm errors of all decoys' candidates, for the figure
};

/// All ions of the table's molecules with the adducts within ppm of a measured m/z. Decoys as in
/// METASPACE (Palmer et al., Nature Methods 2017): for every molecule and adduct `decoys` of 80
/// elements that form no such ion, drawn without repeats. Formulas are dealt over ranks; the same
/// result on every rank and any number of them. Collective.
Annotation annotate(const comm::Comm& comm, const std::vector<MassFeature>& features,
                    const MetaboliteTable& table, const AnnotateOptions& options);

/// Fills the candidates' isotope checks from the stored intensities. The same numbers on any number
/// of ranks (exact sums). Collective.
void check_isotopes(const comm::Comm& comm, const RunValues& values,
                    const std::vector<MassFeature>& features, const MetaboliteTable& table,
                    const AnnotateOptions& options, Annotation& annotation);

/// Columns: feature, mz, adduct, formula, ion_mz, ppm_error, fdr, the isotope check, metabolites
/// (how many), ids and names, separated by "; ".
std::string annotations_tsv(const Annotation& annotation, const std::vector<MassFeature>& features,
                            const MetaboliteTable& table, const AnnotateOptions& options);
/// One row an adduct and one for all.
std::string adducts_tsv(const Annotation& annotation, const AnnotateOptions& options);

}  // namespace smeta::analysis
