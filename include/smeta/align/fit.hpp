#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/align/section_raster.hpp"
#include "smeta/align/spatial_transform.hpp"

namespace smeta::align {

/// One way to lay the SM section on the ST section.
struct Candidate {
    AffineTransform affine;
    double score = 0;        ///< nats: the larger the likelier
    double overlap = 0;      ///< intersection over union of the two tissues
    double information = 0;  ///< of matched content, nats a place; 0 without content
    double confidence = 0;   ///< in [0, 1]; the candidates' sum is 1
};

/// Whether SM is mirrored (x to -x, before it is turned).
enum class Mirror { Search, No, Yes };
enum class Deformation { Affine, Diffeomorphic };

/// Corresponding points, rows x, y, in the units of the two frames.
struct Landmarks {
    core::MatrixD sm;
    core::MatrixD st;
};

struct FitOptions {
    Deformation deformation = Deformation::Diffeomorphic;
    std::int64_t candidates = 8;
    Mirror mirror = Mirror::Search;
    std::optional<double>
        rotation;         ///< degrees, from x to y, after the mirror; searched when unset
    Landmarks landmarks;  ///< three or more not on a line replace the search
};

struct Fit {
    SpatialTransform transform;
    std::vector<Candidate>
        candidates;                   ///< best first; the first is the affine part before the flow
    bool ambiguous = false;           ///< another orientation fits about as well
    double overlap = 0;               ///< of the outlines after the fit
    double smallest_determinant = 0;  ///< over the tissue, relative to that of the affine part
    std::int64_t iterations = 0;
    bool converged = false;
    core::MatrixD outline_sm;      ///< segments x, y, x, y; SM frame
    core::MatrixD outline_st;      ///< ST frame
    core::MatrixD outline_fitted;  ///< that of SM in the ST frame, after the fit
};

/// Lays SM on ST: pose search, affine fit of the best poses, then a diffeomorphism. The rasters may
/// or may not have channels. ConfigError for landmarks that are not pairs of numbers. A pure
/// function of its arguments, whatever the threads. Local.
Fit fit_sections(const SectionRaster& sm, const SectionRaster& st, const FitOptions& options);

}  // namespace smeta::align
