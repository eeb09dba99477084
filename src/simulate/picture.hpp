#pragma once

#include <cstdint>
#include <string_view>

#include "smeta/io/image.hpp"

#include "anatomy.hpp"

namespace smeta::simulate {

/// The stained section as a microscope shows it: near-white glass, tissue between pink and purple
/// with a tint a domain, a texture of fibres and dark nuclei. `pixels` is the length of the longer
/// side; shape H x W x 3.
io::Image draw_tissue(const Anatomy& anatomy, std::uint64_t seed, std::string_view sample,
                      std::int64_t pixels);

}  // namespace smeta::simulate
