#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "smeta/align/fit.hpp"
#include "smeta/align/histology.hpp"
#include "smeta/align/spatial_transform.hpp"

namespace smeta::align {

/// What stages/align/SAMPLE.h5 holds: the transform and where it comes from, and units of both
/// frames ("" when unknown).
struct Alignment {
    std::string method;  ///< identity, given, fit
    SpatialTransform transform;
    std::string from_unit;
    std::string to_unit;
    std::optional<Fit> fit;  ///< of method fit: candidates, figures; its transform is empty
    std::optional<HistologyFit> histology{};  ///< of method fit, where the spots have an image
};

/// An AnnData file without observations: uns["smeta"]["align"] = {method, transform (2 x 3, [A |
/// t]), from_unit, to_unit}; where the map deforms also flow = {velocity (steps, n, n, 2), origin,
/// cell}, and of a fit candidates = {transform (count, 2, 3), score, overlap, information,
/// confidence}, and its other members by their names; where there is an image also histology, the
/// members of HistologyFit by their names.
void write_alignment(const std::filesystem::path& path, const Alignment& alignment);
/// FormatError when the file holds something else.
Alignment read_alignment(const std::filesystem::path& path);

}  // namespace smeta::align
