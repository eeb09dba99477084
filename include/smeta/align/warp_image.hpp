#pragma once

#include <string>

#include "smeta/align/spatial_transform.hpp"
#include "smeta/atlas/atlas.hpp"
#include "smeta/io/image.hpp"

namespace smeta::align {

/// An image and where it lies: the place (x, y) is at column scale * (x - x0), row scale * (y -
/// y0), counted from the image's corner.
struct PlacedImage {
    io::Image image;
    double x0 = 0;
    double y0 = 0;
    double scale = 1;
};

/// An image of the SM frame (place (x, y) at column scale * x, row scale * y) in the ST frame, as
/// large as what it covers there and with as many pixels for the same tissue. Every pixel's centre
/// goes back through the transform and is read bilinearly. The result is RGBA, transparent where
/// the image does not reach. ConfigError for a scale that is not above 0 and for results above 1
/// GiB. The same bytes for any threads. Local.
PlacedImage warp_image(const SpatialTransform& transform, const io::Image& image, double scale);

/// `warp_image` of a PNG, JPEG or TIFF by the sample's stored transform; writes a PNG and returns
/// it without its pixels. ConfigError when the sample has no transform; IoError or FormatError for
/// the files. Local.
PlacedImage apply_to_image(const atlas::ShardedAtlas& atlas, const std::string& sample,
                           const std::string& image, double scale, const std::string& out);

}  // namespace smeta::align
