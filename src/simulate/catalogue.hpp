#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/core/matrix.hpp"
#include "smeta/simulate/options.hpp"

namespace smeta::simulate {

enum class Polarity { Positive, Negative };

/// A gene or metabolite of the study, the same in every sample.
struct Feature {
    std::string name;  ///< gene symbol; empty for a metabolite
    std::string id;    ///< Ensembl id of a gene
    double mz = 0;     ///< of a metabolite
    Polarity polarity = Polarity::Positive;
    double log_level = 0;   ///< log of its mean share (genes) or intensity (metabolites)
    double dispersion = 1;  ///< negative binomial inverse dispersion of a gene
    int marker_of = -1;     ///< domain in which it is raised, or -1
    double log_fold = 0;    ///< by so much
    int program = -1;       ///< programme that it follows, or -1
    double loading = 0;     ///< change of the log level per unit of the programme
};

/// Everything that the samples of a study have in common. Genes and metabolites that mark one
/// domain or follow one programme vary together. A pure function of the seed and the numbers of
/// genes, metabolites and domains.
struct Catalogue {
    std::vector<Feature> genes;
    std::vector<Feature> metabolites;  ///< ascending m/z within a polarity, positive first
    core::MatrixD gene_domain;  ///< domains by genes: change of the log level, markers included
    core::MatrixD metabolite_domain;  ///< domains by metabolites
};

Catalogue make_catalogue(const StudyOptions& options);

/// How many of the metabolites are seen in negative mode: two fifths.
std::int32_t negative_metabolites(const StudyOptions& options);

/// Technical differences of one sample: its own and its cohort's, to be added to log levels.
struct BatchEffect {
    double log_depth = 0;             ///< of the sequencing library
    double log_intensity = 0;         ///< of all intensities
    double mass_shift_ppm = 0;        ///< calibration error of every m/z
    std::vector<double> genes;        ///< one a gene
    std::vector<double> metabolites;  ///< one a metabolite
};

BatchEffect make_batch_effect(const StudyOptions& options, const SampleSpec& sample);

}  // namespace smeta::simulate
