#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "smeta/align/spatial_transform.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/spatial/polygon_overlap.hpp"

namespace smeta::align::detail {

/// The area that each row of a set was measured on, in one frame: a disc or a polygon around its
/// place.
class Footprints {
  public:
    /// Discs (spots).
    static Footprints discs(core::MatrixD places, double diameter);
    /// The same convex polygon, counter-clockwise around the origin, at every place.
    static Footprints cells(core::MatrixD places, const spatial::Polygon& cell);
    /// Squares of a frame that is mapped: their four corners are. `centres`: before the map.
    static Footprints squares(const core::MatrixD& centres, double side,
                              const SpatialTransform& map);

    std::int64_t rows() const { return places_.rows(); }
    const core::MatrixD& places() const { return places_; }
    /// No part of any row lies further from its place.
    double reach() const { return reach_; }
    /// Those of the given rows.
    Footprints select(const std::vector<std::int64_t>& rows) const;

    /// Area that row `i` of `a` shares with row `j` of `b`, of which not both are discs.
    friend double shared_area(const Footprints& a, std::int64_t i, const Footprints& b,
                              std::int64_t j);
    /// Area of a row.
    double area(std::int64_t row) const;

  private:
    using Square = std::array<spatial::Corner, 4>;
    spatial::Polygon polygon(std::int64_t row) const;

    core::MatrixD places_;
    double radius_ = 0;            ///< above 0: discs
    spatial::Polygon cell_;        ///< or one polygon for all
    std::vector<Square> squares_;  ///< or a square for each, counter-clockwise
    double reach_ = 0;
};

double shared_area(const Footprints& a, std::int64_t i, const Footprints& b, std::int64_t j);

}  // namespace smeta::align::detail
