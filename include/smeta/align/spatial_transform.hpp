#pragma once

#include <cstdint>
#include <vector>

#include "smeta/atlas/transform.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::align {

using atlas::AffineTransform;

/// The map of the SM frame to the ST frame: a diffeomorphism of the SM frame (the flow of `steps`
/// velocity fields on an n by n grid, p <- p + v_t(p) / steps, bilinear; none: the identity), then
/// an affine map (spec A4.3). Units are those of the two frames.
struct SpatialTransform {
    SpatialTransform() = default;
    SpatialTransform(const AffineTransform& map) : affine(map) {}  // NOLINT: an affine map is one

    AffineTransform affine;
    std::int64_t steps = 0;
    std::int64_t n = 0;
    double x0 = 0;  ///< centre of the grid's first cell
    double y0 = 0;
    double cell = 1;
    /// ((t * n + j) * n + i) * 2 + component: SM units for the whole path.
    std::vector<double> velocity;

    bool deforms() const { return steps > 0; }
    bool operator==(const SpatialTransform&) const = default;
};

/// Points (rows x, y) of the SM frame in the ST frame.
core::MatrixD apply(const SpatialTransform& transform,
                    const Eigen::Ref<const core::MatrixD>& points);
/// Points of the ST frame in the SM frame, to a millionth of a grid cell where the map does not
/// fold. ConfigError when the affine part has determinant 0.
core::MatrixD apply_inverse(const SpatialTransform& transform,
                            const Eigen::Ref<const core::MatrixD>& points);
/// `second` after `transform`.
SpatialTransform compose(const AffineTransform& second, const SpatialTransform& transform);

/// Determinants of the Jacobian at points of the SM frame (central differences).
std::vector<double> determinants(const SpatialTransform& transform,
                                 const Eigen::Ref<const core::MatrixD>& points);

}  // namespace smeta::align
