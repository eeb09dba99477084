#include "smeta/preprocess/qc_config.hpp"

namespace smeta::preprocess {

void bind(core::ConfigTable& table, QcConfig& config) {
    constexpr core::ConfigRange kPositive{0.0, 1e300};
    table
        .add("qc.sm_min_total", config.sm_min_total,
             "keep pixels with a total intensity above this", kPositive)
        .add("qc.sm_max_total", config.sm_max_total,
             "keep pixels with a total intensity below this", kPositive)
        .add("qc.sm_min_mean", config.sm_min_mean,
             "keep pixels with a mean intensity over all m/z above this", kPositive)
        .add("qc.sm_max_mean", config.sm_max_mean,
             "keep pixels with a mean intensity over all m/z below this", kPositive)
        .add("qc.sm_min_pixels", config.sm_min_pixels,
             "keep metabolites with a value above 0 in at least this many kept pixels", kPositive)
        .add("qc.sm_max_pixels", config.sm_max_pixels,
             "keep metabolites with a value above 0 in at most this many kept pixels", kPositive)
        .add("qc.st_min_counts", config.st_min_counts, "keep spots with at least this many counts",
             kPositive)
        .add("qc.st_max_counts", config.st_max_counts, "keep spots with at most this many counts",
             kPositive)
        .add("qc.st_min_genes", config.st_min_genes,
             "keep spots with at least this many genes found", kPositive)
        .add("qc.st_max_genes", config.st_max_genes,
             "keep spots with at most this many genes found", kPositive)
        .add("qc.st_max_mt_fraction", config.st_max_mt_fraction,
             "keep spots with at most this share of counts in genes MT-* or mt-*",
             core::ConfigRange{0.0, 1.0})
        .add("qc.st_min_spots", config.st_min_spots,
             "keep genes found in at least this many kept spots", kPositive)
        .add("qc.drop_families", config.drop_families,
             "drop mitochondrial, ribosomal protein, heat shock and DnaJ genes of this species")
        .add("qc.drop_prefixes", config.drop_prefixes,
             "drop genes whose name begins with one of these");
}

bool any_filter(const QcConfig& config) {
    return config.sm_min_total || config.sm_max_total || config.sm_min_mean || config.sm_max_mean ||
           config.sm_min_pixels || config.sm_max_pixels || config.st_min_counts ||
           config.st_max_counts || config.st_min_genes || config.st_max_genes ||
           config.st_max_mt_fraction || config.st_min_spots ||
           config.drop_families != GeneFamilies::None || !config.drop_prefixes.empty();
}

}  // namespace smeta::preprocess
