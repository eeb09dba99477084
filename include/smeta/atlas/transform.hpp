#pragma once

#include <array>
#include <optional>

#include "smeta/io/annotated.hpp"

namespace smeta::atlas {

/// The affine map of imaging coordinates to those of the spots: ST = A SM + t.
struct AffineTransform {
    std::array<double, 4> a{1, 0, 0, 1};  ///< A row by row
    std::array<double, 2> t{0, 0};
    bool operator==(const AffineTransform&) const = default;
};

/// The transform given with a sample (study.toml, align.transform) in its raw file:
/// uns["smeta"]["transform"], 2 x 3, [A | t].
void set_given_transform(io::MuData& raw, const AffineTransform& transform);
/// nullopt when none was given; FormatError when it is damaged.
std::optional<AffineTransform> given_transform(const io::MuData& raw);

/// True when the modalities of a raw file were measured on the same spots and joined by their names
/// (uns["smeta"]["paired"]): no alignment and no reassignment is needed. Modalities may lack some
/// of the spots.
bool is_paired(const io::MuData& raw);
void set_paired(io::MuData& raw);

}  // namespace smeta::atlas
