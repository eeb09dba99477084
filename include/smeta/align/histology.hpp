#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "smeta/align/section_raster.hpp"
#include "smeta/io/image.hpp"
#include "smeta/io/section_image.hpp"

namespace smeta::align {

/// Stains of a pixel by colour deconvolution (Ruifrok and Johnston 2001), as skimage.color.rgb2hed
/// has them: logarithms of the colours in units of ln(1e-6) times the inverse of the matrix of
/// haematoxylin, eosin and DAB; not below 0.
struct Stains {
    double haematoxylin = 0;
    double eosin = 0;
    double residual = 0;
};
Stains stains(const std::array<std::uint8_t, 3>& rgb);
/// .2989 red + .5870 green + .1140 blue (spec A4.2), 0 to 255.
double grey(const std::array<std::uint8_t, 3>& rgb);

/// Where an image shows tissue: pixels, row by row.
struct TissueMask {
    std::vector<std::uint8_t> tissue;  ///< 1 or 0; empty when none was found
    double contrast = 0;               ///< optical density of tissue above that of glass
    double glass = 0;                  ///< mean grey of what is no tissue, 0 to 255
    bool found() const { return !tissue.empty(); }
};
/// Otsu's threshold on the optical density in green, which haematoxylin and eosin both absorb (of
/// grey images: in grey). Nothing is found where both sides of it hardly differ, or where the
/// lighter one is dark: no bright-field image with glass on it. Black pixels are padding, not
/// tissue. Local.
TissueMask find_tissue(const io::Image& image);

/// An image on the cells of a raster: means over the pixels of each. Cells off the image: tissue
/// -1, stains 0.
struct ImageLayers {
    std::vector<float> tissue;  ///< share of the cell; 0 throughout when no tissue was found
    core::MatrixF stains;       ///< cells by 2: haematoxylin, eosin; of grey images by 1: darkness
};
ImageLayers rasterise_image(const io::SectionImage& image, const TissueMask& mask,
                            const RasterGrid& grid);

/// The image's tissue that is connected with spots, as a section of its own (`rasterise`) with the
/// pitch and the number of the spots; ConfigError naming `what` where that leaves no section.
SectionRaster image_section(const SectionRaster& spots, const io::SectionImage& image,
                            const TissueMask& mask, const RasterOptions& options,
                            const std::string& what);

/// Appends the stains, smoothed as the features are, to the channels: in the tissue with mean 0 and
/// standard deviation `weight` (the first component of the features has 1).
void join_stains(SectionRaster& raster, const ImageLayers& layers, double weight);

/// What the alignment made of a section's image; in the alignment's file as "histology".
struct HistologyFit {
    std::string image;          ///< where it is in the raw file
    std::string objection;      ///< why the fit did without it: image and coordinates disagree
    double outside = 0;         ///< share of the spots off the image
    double on_tissue = 0;       ///< share of the spots on its tissue
    double coverage = 0;        ///< share of its tissue that has spots
    double weight = 0;          ///< of the stains in the fit
    bool gave_outline = false;  ///< its tissue was the outline to fit, instead of the spots'
    double overlap = 0;         ///< of its tissue with the imaging section after the fit; 0 without
    core::MatrixD outline;      ///< of its tissue: segments x, y, x, y, ST frame
    io::Image picture;          ///< the part around the spots, small
    std::array<double, 2> picture_origin{0, 0};  ///< its corner, ST frame
    double picture_pixel = 1;                    ///< side of a pixel, ST frame
    bool disagrees() const { return !objection.empty(); }
};

}  // namespace smeta::align
