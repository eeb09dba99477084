#include "footprint.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "smeta/core/error.hpp"

namespace smeta::align::detail {

Footprints Footprints::discs(core::MatrixD places, double diameter) {
    Footprints result;
    result.places_ = std::move(places);
    result.radius_ = diameter / 2;
    result.reach_ = result.radius_;
    return result;
}

Footprints Footprints::cells(core::MatrixD places, const spatial::Polygon& cell) {
    Footprints result;
    result.places_ = std::move(places);
    result.cell_ = cell;
    for (const spatial::Corner& corner : cell)
        result.reach_ = std::max(result.reach_, std::hypot(corner[0], corner[1]));
    return result;
}

Footprints Footprints::squares(const core::MatrixD& centres, double side,
                               const SpatialTransform& map) {
    Footprints result;
    result.places_ = apply(map, centres);
    result.squares_.resize(centres.rows());
    constexpr std::array<spatial::Corner, 4> kCorners{{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}};
    for (std::size_t c = 0; c < kCorners.size(); ++c) {
        const Eigen::RowVector2d step(kCorners[c][0] * side / 2, kCorners[c][1] * side / 2);
        const core::MatrixD before = centres.rowwise() + step;
        const core::MatrixD after = apply(map, before);
        for (Eigen::Index r = 0; r < after.rows(); ++r)
            result.squares_[r][c] = {after(r, 0), after(r, 1)};
    }
    for (std::size_t r = 0; r < result.squares_.size(); ++r) {
        Square& square = result.squares_[r];
        // A map that mirrors turns them round.
        if (spatial::signed_area(square) < 0) std::reverse(square.begin(), square.end());
        const auto row = static_cast<Eigen::Index>(r);
        for (const spatial::Corner& corner : square) {
            const double distance =
                std::hypot(corner[0] - result.places_(row, 0), corner[1] - result.places_(row, 1));
            if (distance > result.reach_) result.reach_ = distance;  // not of NaN
        }
    }
    return result;
}

Footprints Footprints::select(const std::vector<std::int64_t>& rows) const {
    Footprints result;
    result.radius_ = radius_;
    result.cell_ = cell_;
    result.reach_ = reach_;
    result.places_.resize(static_cast<Eigen::Index>(rows.size()), 2);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        result.places_.row(static_cast<Eigen::Index>(i)) = places_.row(rows[i]);
        if (!squares_.empty()) result.squares_.push_back(squares_[rows[i]]);
    }
    return result;
}

spatial::Polygon Footprints::polygon(std::int64_t row) const {
    if (!squares_.empty()) return {squares_[row].begin(), squares_[row].end()};
    spatial::Polygon cell = cell_;
    for (spatial::Corner& corner : cell) {
        corner[0] += places_(row, 0);
        corner[1] += places_(row, 1);
    }
    return cell;
}

double Footprints::area(std::int64_t row) const {
    return radius_ > 0 ? std::numbers::pi * radius_ * radius_ : spatial::signed_area(polygon(row));
}

double shared_area(const Footprints& a, std::int64_t i, const Footprints& b, std::int64_t j) {
    core::check(a.radius_ <= 0 || b.radius_ <= 0, "one of two footprints is a polygon");
    const auto centre = [](const Footprints& discs, std::int64_t row) {
        return spatial::Corner{discs.places_(row, 0), discs.places_(row, 1)};
    };
    double area = 0;
    if (a.radius_ > 0)
        area = spatial::disc_overlap(b.polygon(j), centre(a, i), a.radius_);
    else if (b.radius_ > 0)
        area = spatial::disc_overlap(a.polygon(i), centre(b, j), b.radius_);
    else  // a square that the map bent is no window
        area = a.cell_.empty() ? spatial::signed_area(spatial::clip(a.polygon(i), b.polygon(j)))
                               : spatial::signed_area(spatial::clip(b.polygon(j), a.polygon(i)));
    return std::max(0.0, area);
}

}  // namespace smeta::align::detail
