#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace smeta::report {

struct Colour {
    std::uint8_t red = 0;
    std::uint8_t green = 0;
    std::uint8_t blue = 0;
    bool operator==(const Colour&) const = default;
};

/// "#rrggbb".
std::string to_hex(Colour colour);

/// Distinct colours for clusters: the palette of Okabe and Ito (2008), then tints that stay apart
/// under the common forms of colour blindness; repeats after all are used. -1 is light grey.
Colour cluster_colour(std::int32_t cluster);
/// Black or white, whichever reads better on `background`.
Colour label_on(Colour background);

/// matplotlib's viridis at t in [0, 1] (clamped): perceptually uniform, readable in grey.
Colour viridis(double t);
/// ColorBrewer PuOr, purple at 0 over near white at 0.5 to orange at 1 (clamped); safe for
/// colour-blind readers.
Colour diverging(double t);

}  // namespace smeta::report
