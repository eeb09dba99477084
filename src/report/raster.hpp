#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/io/image.hpp"

#include "colour.hpp"

namespace smeta::report {

/// How the spots of a section tile the plane, found from the points themselves.
struct SpotShape {
    enum class Kind { Disc, Square, Hexagon };
    Kind kind = Kind::Disc;
    double spacing = 1;  ///< median distance to the nearest other spot, unit of the coordinates
    double angle = 0;    ///< direction of one neighbour on a lattice, radians
};

/// A hexagon for a triangular lattice (Visium), a square for a square one (imaging), else a disc.
/// Local.
SpotShape spot_shape(std::span<const double> x, std::span<const double> y);

/// An RGBA picture, transparent at first.
class Raster {
  public:
    Raster(std::int64_t width, std::int64_t height);
    /// Draws one spot with soft edges; centre and spacing in pixels.
    void draw(const SpotShape& shape, double x, double y, double spacing, Colour colour);
    const io::Image& image() const { return image_; }

  private:
    void blend(std::int64_t x, std::int64_t y, Colour colour, double coverage);
    io::Image image_;
};

}  // namespace smeta::report
