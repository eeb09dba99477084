#pragma once

#include <optional>
#include <string>

#include "smeta/align/align_config.hpp"
#include "smeta/align/fit.hpp"
#include "smeta/align/histology.hpp"

#include "uns_reader.hpp"

namespace smeta::align::detail {

/// The image of a sample's spots on its way through a fit.
struct SectionHistology {
    io::SectionImage image;
    TissueMask mask;
    SectionRaster tissue;  ///< of the image; without cells where image and coordinates disagree
    HistologyFit fit;
};

/// What the spots' part of a sample says of its image. nullopt without one. ConfigError naming the
/// sample when the outline is to be the image's and there is none that agrees with the spots.
std::optional<SectionHistology> look_at_image(const std::string& sample, const io::AnnData& st,
                                              const core::MatrixD& points,
                                              const SectionRaster& spots,
                                              const AlignConfig& config);

/// After the fit: how the image's tissue and the imaging section lie on each other, and a small
/// picture for figures.
HistologyFit finish_histology(SectionHistology histology, const SpatialTransform& transform,
                              const SectionRaster& sm, const Fit& fit);

io::UnsDict to_uns(const HistologyFit& fit);
HistologyFit histology_from_uns(const UnsReader& reader, const io::UnsDict& dict);

}  // namespace smeta::align::detail
