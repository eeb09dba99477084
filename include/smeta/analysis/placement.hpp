#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "smeta/analysis/label_transfer.hpp"
#include "smeta/analysis/latent.hpp"
#include "smeta/analysis/map_config.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

/// Distance of the run's `rows` to their `neighbors`-th nearest training spot of other samples (of
/// their own where the run has one sample, itself left out): how far a section that was not trained
/// on lies from the others. In the order of `rows`, the same on every rank. Collective.
std::vector<double> reference_distances(const comm::Comm& comm, const RunLatent& latent,
                                        std::int64_t neighbors, std::span<const std::int64_t> rows);

/// A column of the results of all training spots in canonical order; "" in samples without it.
/// ConfigError where no sample has it, or no spot has a label. Collective.
std::vector<std::string> training_labels(const comm::Comm& comm, const atlas::Run& run,
                                         const std::string& column);

/// A query's sample after its spots were judged.
struct PlacedSample {
    std::string name;
    std::int64_t rows = 0;
    std::int64_t out = 0;  ///< spots out of the training distribution
    /// Spots by reason: "distance", "fit_<mod>", "no_values".
    std::map<std::string, std::int64_t> reasons;
    std::optional<LabelScore> labels;  ///< where the query has the column too
};

struct PlacementOptions {
    std::string folder;  ///< below map/, with the files of model::map_query
    std::vector<std::string> samples;
    std::string labels;                        ///< obs column that is transferred; empty: none
    std::vector<std::string> training_labels;  ///< see above; empty: none
    /// Rows of the run that queries are compared with, and their fit by modality (see
    /// model::ReferenceRows).
    std::vector<std::int64_t> reference_rows;
    std::map<std::string, std::vector<float>> reference_fit;
};

/// Adds to map/FOLDER/SAMPLE.h5ad of every sample, in obs:
/// - `ood_distance`: to the map.neighbors-th nearest training spot in the latent;
/// - `ood_p`: the share of the reference rows that are at least as strange, by distance
///   (`reference_distances`) or by the fit of a modality, whichever is worse (Calibration);
/// - `out_of_distribution`: `ood_p` is at most map.flagged_share, or the spot has no selected value
///   at all; `ood_reason` says why: "distance", "fit_<mod>", "no_values";
/// - with `labels`, a column C: `transfer_C` and `transfer_C_confidence`, the vote of the
///   map.neighbors nearest training spots that have a label (LabelledPoints::vote).
/// Samples are dealt over ranks; the result does not depend on ranks or threads. Collective.
std::vector<PlacedSample> place_query(const comm::Comm& comm, const atlas::Run& run,
                                      const MapConfig& config, const PlacementOptions& options);

}  // namespace smeta::analysis
