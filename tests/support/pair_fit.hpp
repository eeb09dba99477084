#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "smeta/align/fit.hpp"
#include "smeta/align/section_raster.hpp"

#include "support/pair_image.hpp"
#include "support/section_pair.hpp"

namespace smeta::test {

/// What became of one simulated pair.
struct PairOutcome {
    bool symmetric = false;
    MissingSide missing = MissingSide::None;
    bool right = false;  ///< mirror right and turned by less than 20 degrees from the truth
    bool ambiguous = false;
    double turn = 0;          ///< degrees from the truth; 180 when mirrored
    double error = 0;         ///< median over SM points in ST's tissue, in the coarser pitch
    double affine_error = 0;  ///< the same, before the flow
    double ratio = 0;         ///< pitch of SM over that of ST
    double distortion = 0;
    double seconds = 0;
    std::string note;
};

/// Tissue and content of a section.
align::SectionRaster raster_of(const SimulatedSection& section,
                               const align::RasterOptions& options = {});

/// Sets the channels of both rasters in place of the principal components.
using ChannelSetter =
    std::function<void(const SimulatedPair&, align::SectionRaster& sm, align::SectionRaster& st)>;

/// Whether ST has an image, and of what; the weight of its stains.
struct ImageOfPair {
    PairImage kind = PairImage::None;
    double weight = 1;
};

PairOutcome fit_pair(std::uint64_t seed, const align::RasterOptions& raster = {},
                     const align::FitOptions& options = {}, const ChannelSetter& channels = {},
                     const ImageOfPair& image = {});

}  // namespace smeta::test
