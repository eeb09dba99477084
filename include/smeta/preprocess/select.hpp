#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/atlas.hpp"
#include "smeta/atlas/common_features.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/preprocess/select_config.hpp"
#include "smeta/spatial/graph.hpp"
#include "smeta/stats/tests.hpp"

namespace smeta::preprocess {

inline constexpr int kSelectVersion = 3;
/// Row sums after normalisation, of ST and SM alike.
inline constexpr double kNormalisedTotal = 1e4;

/// What the rules of selection see of one feature in one sample.
struct FeatureStatistics {
    double morans_i = 0.0;      ///< ST: of log1p of rows scaled to 1e4; SM: of rows scaled to 1e4;
                                ///< others: of the values as they are. NaN when constant
    stats::Moments log_values;  ///< of log1p of rows scaled to 1e4 (others: unused)
    double positive_fraction = 0.0;  ///< share of rows with a value above 0
};

/// Statistics of every feature (columns) of one modality of one sample. `features_by_rows` is the
/// transposed matrix: row f holds feature f over the sample's rows. Parallel over features;
/// independent of the thread count. Local.
std::vector<FeatureStatistics> feature_statistics(std::string_view modality,
                                                  const core::CsrView& features_by_rows,
                                                  const spatial::SpatialGraph& graph);

/// One sample's part in the selection of one modality.
struct SampleFeatures {
    std::string sample;
    std::vector<std::string> names;
    std::vector<FeatureStatistics> statistics;
};

/// The union of the samples' features in bytewise order and what became of each.
struct Selection {
    std::vector<std::string> names;
    std::vector<std::string>
        reason;  ///< "" = selected; low_coverage, constant, low_rank, few_samples, batch_biased
    std::vector<std::int64_t> n_lists;   ///< samples whose list has the feature
    std::vector<std::string> biased_in;  ///< sample that the feature marks, "" if none
};

/// The rules (SpatialMETA's spatial_variable_joint_adata_sm_st with log1p before the test). Each
/// sample lists its features with the highest Moran's I (ties bytewise by name); a feature stays
/// when at least min_samples lists have it and, with two samples or more, it is not batch-biased:
/// Welch's test of one sample against the others that measured it, Benjamini-Hochberg over the
/// sample's features, -log10 adjusted p > 10, log2 fold change > max(1, min_logfc), found in more
/// than min_frac of the sample's rows. Modalities other than st and sm keep all features. Of all
/// modalities, features that fewer samples measured than select.features and select.min_coverage
/// want are left out. `samples` in canonical order. Local.
Selection select_features(std::string_view modality, const std::vector<SampleFeatures>& samples,
                          const SelectConfig& config);

/// Stage select over the joint files of the given samples (all when empty), dealt over the ranks:
/// writes stages/select/features.h5 (docs/preprocessing.md) unless it is current. The result does
/// not depend on ranks, threads or the order of samples. Features that samples name differently
/// have one name in it (atlas::common_features with `mass`). ConfigError when a sample has no
/// joint file or a modality ends without features. Collective.
void run_select(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const SelectConfig& config,
                const std::vector<std::string>& samples = {},
                const atlas::MassTolerance& mass = {});

}  // namespace smeta::preprocess
