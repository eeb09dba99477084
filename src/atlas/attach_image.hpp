#pragma once

#include "smeta/atlas/study.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::atlas {

/// Reads the source's own image, reduced to 2,000 pixels as Space Ranger's hires image is, into
/// uns["spatial"] of its spots, in the place of others. ConfigError when the scale is neither given
/// nor known; FormatError naming the image when spots lie off it. Local.
void attach_image(io::AnnData& st, const SampleSource& source);

/// Warns when spots lie off the image that came with them.
void check_image(const io::AnnData& st, const SampleSource& source);

}  // namespace smeta::atlas
