#include "smeta/preprocess/select_config.hpp"

namespace smeta::preprocess {

void bind(core::ConfigTable& table, SelectConfig& config) {
    constexpr core::ConfigRange kCount{1.0, 1e9};
    table
        .add(
            "select.n_genes", config.n_genes,
            "genes in the list of each sample, by Moran's I (default 2000 for one sample, 2500 for "
            "several)",
            kCount)
        .add("select.n_metabolites", config.n_metabolites,
             "metabolites in the list of each sample, by Moran's I (default 800 for one sample, "
             "1000 "
             "for several)",
             kCount)
        .add("select.min_samples", config.min_samples,
             "keep features that are in the lists of at least this many samples (default min(3, "
             "samples))",
             kCount)
        .add("select.features", config.features,
             "where samples measured different features: union takes any and masks it in samples "
             "that lack it, intersection those alone that every sample with the modality measured")
        .add("select.min_coverage", config.min_coverage,
             "keep features that at least this share of the samples with the modality measured",
             core::ConfigRange{0.0, 1.0})
        .add("select.batch_biased", config.batch_biased,
             "what to do with features that mark one sample against the others")
        .add("select.min_frac", config.min_frac,
             "a batch-biased feature is found in more than this share of the sample's spots",
             core::ConfigRange{0.0, 1.0})
        .add("select.min_logfc", config.min_logfc,
             "and has more than this log2 fold change against the other samples",
             core::ConfigRange{0.0, 1e300});
}

}  // namespace smeta::preprocess
