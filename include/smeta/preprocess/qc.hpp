#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/io/annotated.hpp"
#include "smeta/preprocess/qc_config.hpp"

namespace smeta::preprocess {

inline constexpr int kQcVersion = 1;

/// What became of each row or feature: "" = kept, else why it was dropped (the first reason that
/// applies).
struct Verdicts {
    std::vector<std::string> reason;

    std::int64_t kept() const;
    std::map<std::string, std::int64_t> dropped() const;
    /// read = kept + sum over reasons of dropped; throws InvariantError otherwise.
    void check_contract(std::int64_t read) const;
};

/// Quality control of one modality: verdicts and the numbers they rest on.
struct ModalityQc {
    Verdicts rows;
    Verdicts features;
    // One entry a row, over the features that prefixes leave:
    std::vector<double> total;
    std::vector<double> mean;              ///< total / number of features
    std::vector<std::int64_t> n_features;  ///< values above 0
    std::vector<double> mt_fraction;       ///< ST only (else empty): share of MT-* or mt-* in all
                                           ///< counts, 0 without counts
    /// One entry a feature: kept rows with a value above 0.
    std::vector<std::int64_t> n_rows;
};

/// Applies the thresholds of `modality` ("st", "sm"; any other is only measured) to x (rows by
/// features). Order: genes by prefix, then rows by their totals over the genes that are left, then
/// features by the kept rows that have them. Reasons of rows: low_total, high_total, low_mean,
/// high_mean (SM); low_counts, high_counts, few_genes, many_genes, mitochondrial (ST). Of features:
/// prefix, few_pixels, many_pixels, few_spots. Local.
ModalityQc quality_control(std::string_view modality, const core::CsrView& x,
                           std::span<const std::string> var_names, const QcConfig& config);

/// Content of the stage's file and a line for the log.
struct QcTables {
    io::MuData tables;
    std::string summary;
    std::map<std::string, atlas::ModalityShape> kept;  ///< rows read = kept + dropped
};

/// The stage's file: for each modality the obs and var names of the raw file, without X; obs
/// columns kept, reason, total, mean, n_features, mt_fraction; var columns kept, reason, n_rows.
QcTables qc_tables(const io::MuData& raw, const QcConfig& config);

/// Stage qc of the given samples (all when empty), dealt over the ranks: writes stages/qc/SAMPLE.h5
/// and logs read = kept + dropped by reason. Skips samples that are current and those without raw
/// data (ingested as joint file). Collective.
void run_qc(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const QcConfig& config,
            const std::vector<std::string>& samples = {});

}  // namespace smeta::preprocess
