#include "smeta/align/align_config.hpp"

namespace smeta::align {

void bind(core::ConfigTable& table, AlignConfig& config) {
    table
        .add("align.method", config.method,
             "transform of imaging to spot coordinates: identity, given (the sample's "
             "align.transform), fit (found from the sections themselves); auto: given where the "
             "sample has one, else identity")
        .add(
            "align.deformation", config.deformation,
            "what a fit may do to the imaging section: affine, diffeomorphic (bent smoothly before "
            "the affine map), or shift (moved only: the frames have one unit and orientation, but "
            "for align.rotation and align.mirror)")
        .add("align.candidates", config.candidates, "poses that a fit compares and reports",
             core::ConfigRange{1, 100})
        .add(
            "align.mirror", config.mirror,
            "whether the imaging section is mirrored (x to -x, before it is turned): auto searches")
        .add("align.rotation", config.rotation,
             "degrees from x to y by which the imaging section is turned, to 15 degrees; searched "
             "when unset",
             core::ConfigRange{-360, 360})
        .add("align.landmarks", config.landmarks,
             "table with columns sm_x, sm_y, st_x, st_y (and sample, where it is for several) of "
             "corresponding points: three or more that span an area; they replace the search")
        .add("align.landmark_error", config.landmark_error,
             "how far off landmarks may be (standard deviation), in lengths of the tissue (square "
             "root of its area): smaller for fiducials, larger for points set by eye",
             core::ConfigRange{1e-4, 1})
        .add("align.weight_outline", config.weight_outline, "weight of the outlines in the fit",
             core::ConfigRange{0, 1e6})
        .add("align.weight_features", config.weight_features,
             "weight of the measured features in the fit; 0: they are not read, and the sections "
             "are laid by shape alone",
             core::ConfigRange{0, 1e6})
        .add(
            "align.outline", config.outline,
            "what outlines are compared by: distance (robust differences of the distances to the "
            "edges of both tissues), or alpha_shape (distances of the nearest points of both alpha "
            "shapes, SpatialMETA's equation 7)")
        .add("align.point_norm", config.point_norm,
             "length of a difference of alpha-shape points: euclidean, or l1 (sum of both "
             "coordinates)")
        .add("align.features", config.features,
             "what of the features is compared: pca (principal components of each section), or vae "
             "(latents of SpatialMETA's feature VAE, trained on both sections, which are held in "
             "memory)")
        .add("align.vae_latent", config.vae_latent, "latent units of the feature VAE, a section",
             core::ConfigRange{1, 1024})
        .add("align.vae_epochs", config.vae_epochs, "epochs of the feature VAE",
             core::ConfigRange{1, 1e6})
        .add("align.weight_histology", config.weight_histology,
             "weight of the stains of the spots' image (haematoxylin, eosin) in the fit: their "
             "standard deviation beside that of the first component of the features; 0: they are "
             "left out",
             core::ConfigRange{0, 1e3})
        .add("align.sm_spots_to", config.sm_spots_to,
             "whose outline the imaging section is laid on: st (that of the spots) or histology "
             "(of the tissue that their image shows)");
}

void bind(core::ConfigTable& table, ReassignConfig& config) {
    table
        .add(
            "reassign.target", config.target,
            "what the joint rows are: st (spots; pixels are averaged), sm (pixels; counts of spots "
            "are averaged and rounded), hex (a hexagonal grid where both tissues lie; both are)")
        .add("reassign.hex_pitch", config.hex_pitch,
             "distance of two places of the grid, in the unit of the spots' coordinates; unset: "
             "the smallest distance between two spots",
             core::ConfigRange{1e-6, 1e9})
        .add(
            "reassign.weights", config.weights,
            "what a joint row averages: nearest (reassign.neighbors within reassign.radius_factor, "
            "all alike), area (all that it overlaps, by the area that they share)")
        .add("reassign.spot_diameter", config.spot_diameter,
             "of a spot, for weights = area, in the unit of the spots' coordinates; unset: Space "
             "Ranger's",
             core::ConfigRange{1e-6, 1e9})
        .add("reassign.pixel_size", config.pixel_size,
             "side of a pixel, for weights = area, in the unit of the imaging coordinates; unset: "
             "the smallest distance between two pixels",
             core::ConfigRange{1e-6, 1e9})
        .add("reassign.neighbors", config.neighbors,
             "nearest pixels that are averaged for a spot (spots for a pixel), at most",
             core::ConfigRange{1, 1e6})
        .add("reassign.radius_factor", config.radius_factor,
             "neighbors count up to this multiple of the smallest distance between two spots",
             core::ConfigRange{0.0, 1e6})
        .add("reassign.drop_uncovered", config.drop_uncovered,
             "drop joint rows without a pixel (target sm: a spot, hex: either) in reach; else they "
             "are kept with sm_covered (st_covered) = false")
        .add("reassign.min_intensity", config.min_intensity,
             "keep joint spots with at least this total intensity", core::ConfigRange{0.0, 1e300})
        .add("reassign.max_counts", config.max_counts,
             "keep joint spots with at most this many counts", core::ConfigRange{0.0, 1e300});
}

}  // namespace smeta::align
