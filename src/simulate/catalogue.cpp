#include "catalogue.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "anatomy.hpp"
#include "stream.hpp"

namespace smeta::simulate {

namespace {

/// Spread of levels and of effects, natural logarithm. Chosen so that 2,000 genes at 5,000 UMI have
/// about a third of their counts above zero, and domains differ clearly but not trivially.
struct Spread {
    double level;
    double domain;        // small difference of every feature between domains
    double marker_share;  // of the features
    double least_fold, most_fold;
    double program_share;
};
constexpr Spread kGeneSpread{1.8, 0.1, 0.20, 0.7, 1.8, 0.15};
constexpr Spread kMetaboliteSpread{1.2, 0.1, 0.35, 0.6, 1.5, 0.20};

void add_levels(Stream& stream, const Spread& spread, int domains, Feature& feature) {
    feature.log_level = spread.level * stream.normal();
    if (stream.uniform() < spread.marker_share) {
        feature.marker_of = static_cast<int>(stream.below(domains));
        feature.log_fold =
            spread.least_fold + (spread.most_fold - spread.least_fold) * stream.uniform();
    }
    if (stream.uniform() < spread.program_share) {
        feature.program = static_cast<int>(stream.below(kPrograms));
        feature.loading = (0.3 + 0.4 * stream.uniform()) * (stream.uniform() < 0.7 ? 1 : -1);
    }
}

core::MatrixD domain_matrix(Stream& stream, const std::vector<Feature>& features, int domains,
                            double spread) {
    core::MatrixD matrix(domains, static_cast<Eigen::Index>(features.size()));
    for (Eigen::Index d = 0; d < matrix.rows(); ++d)
        for (Eigen::Index f = 0; f < matrix.cols(); ++f)
            matrix(d, f) = spread * stream.normal() +
                           (features[f].marker_of == d ? features[f].log_fold : 0.0);
    return matrix;
}

/// Mitochondrial, ribosomal and heat-shock genes, which quality control treats apart, come first.
std::string gene_name(std::int32_t index) {
    static constexpr std::array kSpecial = {
        "MT-ND1", "MT-ND2", "MT-CO1", "MT-CO2", "MT-ATP6", "MT-CO3", "MT-ND4", "MT-CYB",
        "RPLP0",  "RPL3",   "RPL10",  "RPS3",   "RPS6",    "HSPA1A", "HSPB1",  "DNAJB1"};
    if (index < static_cast<std::int32_t>(kSpecial.size())) return kSpecial[index];
    return fmt::format("GENE{:05}", index + 1);
}

/// Ascending m/z between 80 and 1,050, neighbours at least half a mean gap (in ppm) apart.
std::vector<double> mass_list(Stream& stream, std::int32_t count) {
    std::vector<double> masses;
    const double log_step = std::log(1050.0 / 80.0) / count;
    for (std::int32_t i = 0; i < count; ++i)
        masses.push_back(80 * std::exp(log_step * (i + 0.5 * stream.uniform())));
    return masses;
}

}  // namespace

Catalogue make_catalogue(const StudyOptions& options) {
    Catalogue catalogue;
    Stream genes(options.seed, StreamUse::Genes, "");
    for (std::int32_t i = 0; i < options.genes; ++i) {
        Feature gene;
        gene.name = gene_name(i);
        gene.id = fmt::format("ENSG{:011}", i + 1);
        add_levels(genes, kGeneSpread, options.domains, gene);
        gene.dispersion = std::exp(std::log(4.0) + 0.5 * genes.normal());
        catalogue.genes.push_back(gene);
    }
    Stream metabolites(options.seed, StreamUse::Metabolites, "");
    const std::int32_t negative = negative_metabolites(options);
    for (const auto polarity : {Polarity::Positive, Polarity::Negative}) {
        const auto count =
            polarity == Polarity::Negative ? negative : options.metabolites - negative;
        for (const double mz : mass_list(metabolites, count)) {
            Feature metabolite;
            metabolite.mz = mz;
            metabolite.polarity = polarity;
            add_levels(metabolites, kMetaboliteSpread, options.domains, metabolite);
            metabolite.log_level += 9;
            catalogue.metabolites.push_back(metabolite);
        }
    }
    catalogue.gene_domain =
        domain_matrix(genes, catalogue.genes, options.domains, kGeneSpread.domain);
    catalogue.metabolite_domain = domain_matrix(metabolites, catalogue.metabolites, options.domains,
                                                kMetaboliteSpread.domain);
    return catalogue;
}

std::int32_t negative_metabolites(const StudyOptions& options) {
    return options.metabolites * 2 / 5;
}

BatchEffect make_batch_effect(const StudyOptions& options, const SampleSpec& sample) {
    Stream own(options.seed, StreamUse::Batch, "sample " + sample.name);
    Stream cohort(options.seed, StreamUse::Batch, "cohort " + sample.cohort);
    BatchEffect effect;
    effect.log_depth = 0.25 * own.normal() + 0.15 * cohort.normal();
    effect.log_intensity = 0.30 * own.normal() + 0.20 * cohort.normal();
    effect.mass_shift_ppm = std::clamp(0.5 * own.normal(), -1.0, 1.0);
    for (std::int32_t i = 0; i < options.genes; ++i)
        effect.genes.push_back(0.20 * own.normal() + 0.15 * cohort.normal());
    for (std::int32_t i = 0; i < options.metabolites; ++i)
        effect.metabolites.push_back(0.30 * own.normal() + 0.20 * cohort.normal());
    return effect;
}

}  // namespace smeta::simulate
