#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "smeta/analysis/cluster_config.hpp"
#include "smeta/analysis/published_totals.hpp"
#include "smeta/analysis/scores.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

/// An embedding of a run's spots made elsewhere.
struct EmbeddingFile {
    std::string file;  ///< .h5ad
    std::string key;   ///< in obsm
};

enum class MarkerScores { Compute, LeaveOut };

struct ScoreRequest {
    std::string label;             ///< obs column with the truth; empty: no biology scores
    std::string batch = "sample";  ///< obs column
    std::vector<EmbeddingFile> others = {};
    std::int32_t components = 50;  ///< of the data before integration; 0: not scored
    ClusterConfig cluster = {};    ///< clusters in embeddings other than the run's own
    std::uint64_t seed = 1;
    MarkerScores markers = MarkerScores::Compute;
    std::int64_t replicates = 200;  ///< of the bootstrap over spots; 0: no intervals
    Kbet kbet = Kbet::LeaveOut;
    /// Bytes that values held at a time may take on this rank.
    std::int64_t memory = std::int64_t{1} << 30U;
    /// Scores of the run's reconstruction, of the samples, their mean and all; made by the caller.
    std::vector<Score> reconstruction = {};
};

struct EmbeddingScores {
    std::string name;
    std::string source;
    std::int64_t dimensions = 0;
    std::int64_t clusters = 0;
    std::vector<Score> scores;
};

struct RunScores {
    std::string run;
    ScoreRequest request;
    std::vector<std::string> samples;
    std::int64_t spots = 0;
    std::int64_t labelled = 0;
    std::vector<std::string> labels;
    std::vector<std::string> batches;
    std::vector<double> component_variances;  ///< of "pca", descending
    std::vector<EmbeddingScores> embeddings;  ///< "smeta", "pca", then the others
    std::vector<PublishedTotals> published;   ///< of each embedding among these
};

/// Scores the latent of a run with its clusters, the principal components of its data before
/// integration, and other embeddings of the same spots, these with Leiden clusters found as
/// `smeta cluster` finds the run's. The same numbers on any number of ranks. Collective;
/// FormatError for a column, an embedding or a spot that is not there.
RunScores score_run(const comm::Comm& comm, const atlas::Run& run, const ScoreRequest& request);

/// scores.json, tables/scores.tsv and tables/scores_published.tsv.
std::string scores_json(const RunScores& scores);
std::string scores_tsv(const RunScores& scores);
std::string published_tsv(const RunScores& scores);

}  // namespace smeta::analysis
