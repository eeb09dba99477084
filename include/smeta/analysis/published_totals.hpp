#pragma once

#include <string>
#include <vector>

#include "smeta/analysis/scores.hpp"

namespace smeta::analysis {

/// The scores of one embedding among those compared.
struct ComparedScores {
    std::string name;
    std::vector<Score> scores;
};

/// The published benchmark's totals of one embedding; NaN where nothing of it is known.
struct PublishedTotals {
    std::string name;
    double continuity = 0;
    double markers = 0;
    double reconstruction = 0;
    double biology = 0;
    double batch = 0;
    double cross_modality = 0;  ///< mean of continuity, markers and reconstruction
    double cross_sample = 0;    ///< mean of biology and batch
    double total = 0;
};

enum class Comparison { OneSample, SeveralSamples };

/// SpatialMETA's scaling and totals (docs/scores.md): specificity, logistic, mutual_information,
/// pearson and cosine are scaled to 0 ... 1 over the embeddings that are compared, so a total means
/// nothing beside those of another comparison. What an embedding lacks is left out of its means.
/// Local.
std::vector<PublishedTotals> published_totals(const std::vector<ComparedScores>& compared,
                                              Comparison comparison);

}  // namespace smeta::analysis
