#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "smeta/analysis/groups.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::analysis {

enum class ScoreGroup { Continuity, Markers, Reconstruction, Biology, Batch };
std::string to_string(ScoreGroup group);

inline constexpr const char* kScopeAll = "all";
inline constexpr const char* kScopeMean = "mean";

/// A score over some spots: those of one sample, those of all samples ("all"), or the mean of the
/// samples' values ("mean", samples without a value left out). NaN where it is undefined.
struct ScoreValue {
    std::string scope;
    std::int64_t spots = 0;  ///< that it was computed on
    double value = 0;
    std::vector<double> replicates = {};  ///< of spots drawn with replacement; empty: none made

    /// Bound of an interval that `share` of the replicates lie below (linear between two), after
    /// their mean was moved onto the value: spots that are there twice agree with themselves, which
    /// raises ari, nmi and others a little. NaN without replicates.
    double bound(double share) const;
};

struct Score {
    std::string name;  ///< as in docs/scores.md, which has every definition
    ScoreGroup group = ScoreGroup::Biology;
    std::vector<ScoreValue> values;

    /// NaN when there is no such scope.
    double at(const std::string& scope) const;
    /// chaos, pas, geary_<mod> and batch_variance; of the others a high value is good.
    bool low_is_good() const;
};

/// Appends the mean over the samples that have a value, replicate by replicate. Local.
void add_mean_of_samples(Score& score);

/// Mean of one value a spot, with `replicates` of a bootstrap over the spots; NaN without spots.
/// The same on every rank. Collective.
ScoreValue mean_of_spots(const comm::Comm& comm, std::string scope, std::span<const float> values,
                         std::int64_t replicates, std::uint64_t seed);

/// What is known of the spots, whatever the embedding; one entry a spot in canonical order.
struct ScoredSpots {
    std::vector<std::string> samples;
    std::vector<std::int64_t> first_row;  ///< of each sample; one more entry
    core::MatrixD position;               ///< x, y
    Groups batches;
    std::optional<Groups> labels;  ///< what the clusters should find
    /// batch_variance of the data before integration, if known.
    std::optional<double> variance_before;

    std::int64_t rows() const { return first_row.back(); }
};

/// One embedding of the same spots, with clusters found in it (-1: none).
struct Embedding {
    std::string name;
    std::string source;  ///< where it was read from
    core::MatrixD points;
    std::vector<std::int32_t> clusters;
};

enum class Kbet { Compute, LeaveOut };

struct ScoreOptions {
    std::int64_t replicates = 0;  ///< of a bootstrap over spots, of scores that have one
    std::uint64_t seed = 1;
    Kbet kbet = Kbet::LeaveOut;
};

/// Every score of one embedding: continuity and biology for each sample, their mean, biology and
/// batch scores also over all spots. The same numbers on any number of ranks and threads. Memory: a
/// few copies of the points and 20 neighbours a spot on every rank, 90 a spot of its own share.
/// Collective.
std::vector<Score> score_embedding(const comm::Comm& comm, const Embedding& embedding,
                                   const ScoredSpots& spots, const ScoreOptions& options);

}  // namespace smeta::analysis
