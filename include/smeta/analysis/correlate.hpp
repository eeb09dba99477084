#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/analysis/groups.hpp"
#include "smeta/analysis/run_values.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

struct CorrelateOptions {
    std::int64_t top = 10;        ///< genes of each metabolite and group that are kept
    std::int64_t min_spots = 10;  ///< of a group
    std::int64_t memory = std::int64_t{1} << 30U;  ///< bytes that this rank may use
};

/// A gene and a metabolite over the spots of a group.
struct Correlation {
    std::int32_t group = -1;  ///< -1: all spots
    std::int32_t gene = 0;    ///< positions in ValueFeatures
    std::int32_t metabolite = 0;
    std::int64_t spots = 0;
    double r = 0;           ///< Pearson, of log-normalised values
    double p_value = 1;     ///< two-sided, of t = r sqrt((n - 2) / (1 - r^2))
    double adjusted_p = 1;  ///< Benjamini-Hochberg over all pairs of the group
    /// Pearson of the gene in the group's spots with the metabolite's mean over their neighbours,
    /// whichever group those are in.
    double lagged_r = 0;
};

struct Correlations {
    std::vector<Correlation> pairs;  ///< by group (all first), metabolite, falling |r|; on rank 0
    std::int64_t genes = 0;          ///< that were looked at: measured in every sample
    std::int64_t metabolites = 0;
};

/// Every gene with every metabolite that all samples measured, over all spots and in each group of
/// at least min_spots. Features that are constant in a group have no pairs there. The lag takes
/// each section's graph (spatial::spatial_graph). Pairs of denoised values have no p-values: the
/// model makes a spot's values of a few numbers, all of them related. The same numbers on any
/// number of ranks and threads. ConfigError where no gene or no metabolite is measured everywhere,
/// or memory is too little for the values. Collective.
Correlations correlate(const comm::Comm& comm, const atlas::Run& run, const RunValues& values,
                       const Groups& groups, const CorrelateOptions& options);

/// Columns: group, metabolite, gene, and those of Correlation.
std::string correlations_tsv(const Correlations& found, const RunValues& values,
                             const Groups& groups);

}  // namespace smeta::analysis
