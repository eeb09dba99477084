#pragma once

#include <cstdint>

#include "smeta/io/section_image.hpp"

namespace smeta::test {

/// What an image of a simulated pair's ST section shows.
enum class PairImage {
    None,
    Related,    ///< stains follow mixtures of the shared patterns
    Unrelated,  ///< stains follow patterns that neither modality has
};

/// The ST section of that seed stained with haematoxylin and eosin, with nuclei and the noise of a
/// camera, on glass: 600 x 600 pixels, in the ST frame shifted by kImageShift in x and y.
inline constexpr double kImageShift = 6000;
io::SectionImage simulate_image(std::uint64_t seed, PairImage kind);

}  // namespace smeta::test
