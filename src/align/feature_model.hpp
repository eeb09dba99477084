#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "smeta/align/section_raster.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::align::detail {

/// All rows of a section with their places (n by 2).
struct FeatureRows {
    core::MatrixD points;
    core::CountsCsr values;
};

/// SpatialMETA's values (spec A4.1).
struct FeatureModelOptions {
    std::int64_t sm_features = 500;   ///< of largest Moran's I
    std::int64_t st_features = 2000;  ///< likewise
    std::int32_t hidden = 128;
    std::int32_t latent = 64;
    double dropout = 0.1;
    std::int64_t epochs = 30;
    std::int64_t batch = 128;
    double kl_weight = 2;
    double learning_rate = 5e-5;
    double weight_decay = 1e-6;
    std::uint64_t seed = 1;
};

/// Latents of all rows, rows by latent, and the loss of every epoch (mean over its steps).
struct FeatureLatents {
    core::MatrixF sm;
    core::MatrixF st;
    std::vector<double> losses;
};

/// Trains the feature VAE on the features of largest Moran's I of both sections (six nearest
/// neighbours; SM scaled to equal totals, of ST also the logarithm): SM scaled so, counts of ST as
/// they are. Steps of an epoch cover the larger section once, the other as
/// often as that takes. A pure function of its arguments, whatever the threads. No rows where a
/// section has no variable feature. Local.
FeatureLatents learn_features(const FeatureRows& sm, const FeatureRows& st,
                              const FeatureModelOptions& options);

/// Sets the channels of both rasters from the latents, smoothed and reduced like other features.
void set_latent_channels(const FeatureRows& sm, const FeatureRows& st,
                         const FeatureModelOptions& options, const RasterOptions& raster,
                         SectionRaster& sm_raster, SectionRaster& st_raster);

}  // namespace smeta::align::detail
