#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/align/align_config.hpp"
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

/// Corresponding points, rows x, y, in the units of the two frames.
struct Landmarks {
    core::MatrixD sm;
    core::MatrixD st;
    std::string name = "landmarks";  ///< for errors: their file and sample
};

struct FitOptions {
    Deformation deformation = Deformation::Diffeomorphic;
    std::int64_t candidates = 8;
    Mirror mirror = Mirror::Search;
    /// Degrees, from x to y, after the mirror; searched when unset.
    std::optional<double> rotation;
    /// Three or more, not on a line; they replace the search and are a term of the fit. Of a mere
    /// shift only a term.
    Landmarks landmarks;
    double landmark_error = 0.05;  ///< standard deviation of landmarks, lengths of the ST tissue
    double weight_outline = 1;     ///< of the outlines in objective and ranking
    double weight_features = 1;    ///< of the channels, likewise; 0: they are not looked at
    PointNorm point_norm = PointNorm::Euclidean;  ///< where both rasters have border points
};

struct Fit {
    SpatialTransform transform;
    /// Best first; the first is the affine part before the flow.
    std::vector<Candidate> candidates;
    bool ambiguous = false;           ///< another orientation fits about as well
    double overlap = 0;               ///< of the outlines after the fit
    double smallest_determinant = 0;  ///< over the tissue, relative to that of the affine part
    std::int64_t iterations = 0;
    bool converged = false;
    double landmark_misfit = 0;  ///< root mean square after the fit, lengths of ST; 0 without
    /// Lengths of SM after the fit over those by the declared micrometres; 0 where one frame has
    /// none.
    double size_ratio = 0;
    core::MatrixD outline_sm;  ///< segments x, y, x, y; SM frame
    core::MatrixD outline_st;  ///< ST frame
    /// Places of the tissue after the affine part and after the whole map: x, y, x, y, ST frame; no
    /// rows for an affine map.
    core::MatrixD displacement;
    /// Places of the tissue in the ST frame and how well their content agrees with what lies there:
    /// x, y, nats (above 0: like a match, below: unlike). No rows without content.
    core::MatrixD agreement;
    core::MatrixD outline_fitted;  ///< that of SM in the ST frame, after the fit
};

/// Lays SM on ST: pose search, affine fit of the best poses, then a diffeomorphism. The rasters may
/// or may not have channels. ConfigError for landmarks that are not pairs of numbers, fewer than
/// three, on a line or far outside the sections, and where both weights are 0 without landmarks. A
/// pure function of its arguments, whatever the threads. Local.
Fit fit_sections(const SectionRaster& sm, const SectionRaster& st, const FitOptions& options);

/// Intersection over union of the tissues of SM, moved so, and ST. Local.
double tissue_overlap(const SpatialTransform& transform, const SectionRaster& sm,
                      const SectionRaster& st);

}  // namespace smeta::align
