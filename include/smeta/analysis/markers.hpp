#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/analysis/groups.hpp"
#include "smeta/analysis/run_values.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

/// Logistic: coefficients of a multinomial regression of the groups on all features of a modality
/// together (L2, C = 1, values as they are); no p-values.
enum class MarkerMethod { Wilcoxon, TTest, Logistic };

/// Over which spots a group is compared with the others.
enum class MarkerScope { AllSamples, WithinSamples };

struct MarkerOptions {
    MarkerMethod method = MarkerMethod::Wilcoxon;
    MarkerScope scope = MarkerScope::AllSamples;
    /// Group to compare with; unset: all other groups together.
    std::optional<std::string> reference = {};
    std::int64_t min_spots = 3;
    /// Bytes that the values held at a time may take on this rank.
    std::int64_t memory = std::int64_t{1} << 30U;
};

/// One feature in one group against its rest, on log-normalised values (see RunValues).
struct Marker {
    std::int32_t sample = -1;  ///< position in the values' samples; -1: all of them
    std::int32_t group = 0;
    std::int32_t feature = 0;
    std::int64_t spots = 0;  ///< of the group, in samples that measured the feature
    std::int64_t rest = 0;
    double score = 0;  ///< z of the Wilcoxon test, t, or the coefficient
    double auc = 0.5;  ///< P(group > rest) + P(equal) / 2
    double log2_fold_change = 0;
    double mean = 0;  ///< of the log-normalised values
    double mean_rest = 0;
    double fraction = 0;  ///< of spots above 0
    double fraction_rest = 0;
    double p_value = 1;
    double adjusted_p = 1;  ///< Benjamini-Hochberg over a group's features of one modality
};

/// Tests every feature in every group of `groups` (codes over the rows of `values`). Features that
/// a sample did not measure are tested on the other samples. Groups or rests below min_spots are
/// not tested. Ordered by sample, group, modality and descending score; the same numbers on any
/// number of ranks and threads; all on rank 0, nothing elsewhere. Definitions: scanpy 1.11
/// rank_genes_groups with tie_correct, but for p-values adjusted by modality. Logistic holds the
/// values of a modality in memory, twice, and leaves out features that a sample did not measure.
/// ConfigError where the reference is no group, given for Logistic, or nothing can be tested.
/// Collective.
std::vector<Marker> find_markers(const comm::Comm& comm, const RunValues& values,
                                 const Groups& groups, const MarkerOptions& options);

/// Columns: sample, group, reference, modality, feature, and those of Marker.
std::string markers_tsv(const std::vector<Marker>& markers, const RunValues& values,
                        const Groups& groups, const MarkerOptions& options);

}  // namespace smeta::analysis
