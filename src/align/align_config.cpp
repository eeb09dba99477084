#include "smeta/align/align_config.hpp"

namespace smeta::align {

void bind(core::ConfigTable& table, AlignConfig& config) {
    table.add("align.method", config.method,
              "transform of imaging to spot coordinates: identity, given (the sample's "
              "align.transform), fit; auto: given where the sample has one, else identity");
}

void bind(core::ConfigTable& table, ReassignConfig& config) {
    table
        .add("reassign.neighbors", config.neighbors,
             "nearest pixels that are averaged for a spot, at most", core::ConfigRange{1, 1e6})
        .add("reassign.radius_factor", config.radius_factor,
             "pixels count up to this multiple of the smallest distance between two spots",
             core::ConfigRange{0.0, 1e6})
        .add("reassign.drop_uncovered", config.drop_uncovered,
             "drop spots without a pixel in reach (else they are kept with sm_covered = false)")
        .add("reassign.min_intensity", config.min_intensity,
             "keep joint spots with at least this total intensity", core::ConfigRange{0.0, 1e300})
        .add("reassign.max_counts", config.max_counts,
             "keep joint spots with at most this many counts", core::ConfigRange{0.0, 1e300});
}

}  // namespace smeta::align
