#pragma once

#include "smeta/atlas/transform.hpp"
#include "smeta/core/matrix.hpp"

namespace smeta::align {

using atlas::AffineTransform;

double determinant(const AffineTransform& transform);
/// Points (rows x, y) of the SM frame in the ST frame.
core::MatrixD apply(const AffineTransform& transform,
                    const Eigen::Ref<const core::MatrixD>& points);
/// ConfigError when the determinant is 0 or not finite.
AffineTransform inverse(const AffineTransform& transform);
/// `second` after `first`.
AffineTransform compose(const AffineTransform& second, const AffineTransform& first);

}  // namespace smeta::align
