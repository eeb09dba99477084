#pragma once

#include <optional>
#include <string>

#include "smeta/io/annotated.hpp"
#include "smeta/io/image.hpp"

namespace smeta::io {

/// The image of a section, and where its spots are on it: the place (x, y) of obsm["spatial"] lies
/// at column scale * x, row scale * y, counted from the image's corner.
struct SectionImage {
    Image image;       ///< 1, 3 or 4 channels
    double scale = 1;  ///< image pixels per unit of the coordinates
    std::string name;  ///< where it is: "uns/spatial/S1/images/hires"
};

/// Which of the two images is taken where both are there.
enum class ImageSize { High, Low };

/// The image in uns["spatial"] as scanpy and squidpy have it: spatial[library]["images"]["hires" or
/// "lowres"] with scalefactors["tissue_hires_scalef"] (or lowres); bytes, or floats from 0 to 1.
/// nullopt where no library has an image with its factor; FormatError naming `file` for a factor or
/// shape that cannot be. Local.
std::optional<SectionImage> section_image(const UnsDict& uns, const std::string& file,
                                          ImageSize preferred);

/// Puts an image in that place, as hires and, reduced to at most 600 pixels, as lowres; other
/// numbers among the scale factors stay, other images go. Grey becomes RGB.
void set_section_image(AnnData& data, const std::string& library, const Image& image, double scale);

/// Where places (rows x, y) lie on an image.
struct ImageCover {
    double outside = 0;          ///< share of the places that are off the image
    double extent = 0;           ///< share of the image that the box around the places takes
    std::string spots_span;      ///< "x 10 to 90, y 5 to 80"
    std::string image_span;      ///< what the image covers, likewise
    double smallest_factor = 1;  ///< a scale smaller by this would hold all places, 0 if none would
};
/// A share above which an image cannot be that of the spots (rounding at the edge aside).
inline constexpr double kMostOutside = 0.01;

ImageCover image_cover(const Image& image, double scale, const core::MatrixD& places);

}  // namespace smeta::io
