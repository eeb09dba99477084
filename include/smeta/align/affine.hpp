#pragma once

#include <filesystem>
#include <string>

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

/// What stages/align/SAMPLE.h5 holds: where the transform comes from, and units of both frames (""
/// when unknown).
struct Alignment {
    std::string method;  ///< identity, given
    AffineTransform transform;
    std::string from_unit;
    std::string to_unit;
};

/// An AnnData file without observations: uns["smeta"]["align"] = {method, transform (2 x 3, [A |
/// t]), from_unit, to_unit}.
void write_alignment(const std::filesystem::path& path, const Alignment& alignment);
/// FormatError when the file holds something else.
Alignment read_alignment(const std::filesystem::path& path);

}  // namespace smeta::align
