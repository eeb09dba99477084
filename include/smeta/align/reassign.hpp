#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smeta/align/align_config.hpp"
#include "smeta/align/spatial_transform.hpp"
#include "smeta/atlas/atlas.hpp"
#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::align {

inline constexpr int kReassignVersion = 1;

/// Values of the pixels brought to the spots.
struct SpotValues {
    core::CountsCsr values;            ///< spots by features
    std::vector<std::int64_t> pixels;  ///< pixels averaged for each spot, 0 = none in reach
};

/// For each spot the arithmetic mean of its `k` nearest pixels that lie within `radius` (inclusive;
/// equal distances: the lowest pixel), a zero row where there is none (spec A5). Both point sets in
/// one frame. Local.
SpotValues average_nearest(const core::CsrView& pixel_values,
                           const Eigen::Ref<const core::MatrixD>& pixels,
                           const Eigen::Ref<const core::MatrixD>& spots, std::int64_t k,
                           double radius);

/// The joint table of one sample, a line for the log, and the spots left out, by reason.
struct JointTable {
    io::MuData data;
    std::string summary;
    std::map<std::string, std::int64_t> dropped;
};

/// Joins the modalities of a raw file over the rows and features that `qc` kept. Rows are the ST
/// spots (the only modality's rows if there is no ST), with original counts; SM pixels with
/// coordinates are averaged by `average_nearest` with radius radius_factor times the smallest
/// distance of two ST spots, after `transform`; modalities joined by name take the rows of equal
/// names (a spot that qc dropped in any of them, or whose place none knows, is dropped). Every
/// modality gets the same obs: sample, cohort, spot, the raw columns, <mod>_covered (bool) and
/// sm_pixels; obsm spatial in the ST frame; uns of ST (the others only uns/smeta of ST: the unit).
/// Features in raw order, var with `type`. ConfigError when no spot is left or no pixel is in
/// reach, FormatError when qc does not fit the raw data.
JointTable build_joint(const std::string& sample, const std::string& cohort, const io::MuData& raw,
                       const io::MuData& qc, const std::optional<SpatialTransform>& transform,
                       const ReassignConfig& config);

/// Stage reassign of the given samples (all when empty), dealt over the ranks: writes
/// joint/SAMPLE.KEY[.N].h5mu. A section of which a modality has more than `file_rows` rows (the
/// rows of a joint file) is made by all ranks, each its consecutive share of the spots: every rank
/// holds the section's tables and coordinates, but of X only the rows that its share needs; the
/// datasets are those of one rank, bit for bit. Samples that came as joint files and current ones
/// are skipped. Collective; an error on any rank is thrown on all.
void run_reassign(const comm::Comm& comm, atlas::ShardedAtlas& atlas, const ReassignConfig& config,
                  const std::vector<std::string>& samples = {},
                  std::int64_t file_rows = atlas::kJointFileRows);

}  // namespace smeta::align
