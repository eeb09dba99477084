#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "smeta/atlas/query.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/timing.hpp"

namespace smeta::model {

struct MapOptions {
    std::string folder;                     ///< name below map/; the results go there
    std::vector<std::string> predict = {};  ///< modalities to predict from the others
    double mz_ppm = 5;                      ///< see atlas::match_features
    std::int64_t reference_rows = 5000;     ///< rows, about, that make up the reference
    /// Seed and train.validation of the run: which rows it was not trained on.
    std::uint64_t seed = 0;
    double validation = 0;
    std::int64_t least_held_out = 1;  ///< held-out rows below which trained ones are the reference
};

/// Rows of the run that queries are compared with, as the model sees them without knowing their
/// batch where it does not know the query's.
struct ReferenceRows {
    bool held_out = false;           ///< the model was not trained on them
    std::vector<std::int64_t> rows;  ///< numbers over the run in canonical order, ascending
    /// Fit of each by modality, NaN where the row lacks it; see `map_query`.
    std::map<std::string, std::vector<float>> fit;
};

/// How well a modality was predicted from the others, over the spots of one sample that have both.
struct PredictionScore {
    std::string sample;
    std::string modality;
    std::int64_t spots = 0;
    std::vector<std::string> features;  ///< measured and not constant
    std::vector<double> pearson;        ///< of each; NaN for a constant prediction
    /// The same of the reconstruction that saw the modality: what the model can reach at best.
    std::vector<double> own;
};
/// Quantile of the numbers that are not NaN (linear between two); NaN of none. Local.
double quantile_of_finite(const std::vector<double>& values, double share);

struct MappedSample {
    std::string name;
    std::string cohort;
    std::int64_t rows = 0;
    std::map<std::string, atlas::Coverage> coverage;  ///< a modality that the sample has
    /// Of each batch level its categories that the model was not trained on ("": no such column).
    std::map<std::string, std::vector<std::string>> unseen;
};

struct MapOutcome {
    std::vector<MappedSample> samples;
    ReferenceRows reference;
    std::vector<PredictionScore> predictions;
};

/// Applies a run's model to samples that it was not trained on, without training, and writes
/// map/FOLDER/SAMPLE.h5ad: obs of the joint rows with contribution_<mod> and fit_<mod>, obsm
/// X_smeta, X_smeta_sd, X_smeta_<mod> and spatial, uns['smeta_map'] (run, model, coverage, unseen
/// categories). fit_<mod> is Pearson's correlation, over the features that the sample measured, of
/// log(1 + value) with log(1 + reconstruction); NaN where the spot lacks the modality.
///
/// Encoders see no batch, so the latent needs none; decoders take the mean of the trained
/// categories for one that they do not know (`with_unseen_category`). Features that the sample did
/// not measure enter with their training mean.
///
/// The reference are rows that train.validation kept from training, if there are enough, else rows
/// that the model was trained on.
///
/// A modality M of `predict` is decoded from the latent of the other modalities alone, for every
/// spot that has one of them, into map/FOLDER/prediction/M/SAMPLE.h5ad: X is the expected count of
/// 10,000 for st, the intensity at rows of model.sm_target for sm, the value for others; obs
/// `predicted` says which rows have one. Where the sample measured M its score is returned.
///
/// Rows are computed in blocks of 256: every bit depends on model and rows alone. ConfigError for a
/// modality that the run lacks, or the only one that it has; FormatError for a model without
/// training means where a sample lacks features. Collective.
MapOutcome map_query(const comm::Comm& comm, const atlas::Run& run, const atlas::QueryFile& query,
                     const MapOptions& options, core::Timings& timings);

}  // namespace smeta::model
