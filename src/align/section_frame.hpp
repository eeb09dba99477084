#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "smeta/align/align_config.hpp"
#include "smeta/align/spatial_transform.hpp"
#include "smeta/spatial/hex_grid.hpp"

#include "contributions.hpp"
#include "joint_impl.hpp"

namespace smeta::align::detail {

/// The frame in which spots and pixels of one section meet, that of the spots: where the kept rows
/// of every modality lie, where the joint rows do, and which rows each joint row averages. For
/// sections whose pixels have coordinates of their own. Local.
class SectionFrame {
  public:
    /// ConfigError naming the sample where the joint rows or the areas of `config` cannot be had,
    /// FormatError for spots without places.
    SectionFrame(const std::string& sample, const io::MuData& raw,
                 const std::vector<KeptModality>& kept, const SpatialTransform& transform,
                 const ReassignConfig& config);

    /// Places of the modality's kept rows.
    const core::MatrixD& points(const std::string& modality) const { return points_.at(modality); }
    /// Target hex: the joint rows.
    const spatial::HexGrid& grid() const { return grid_; }
    /// Reach of averaging.
    double radius() const { return radius_; }

    // The joint rows are named by `rows`: kept rows of the target's modality (-1: without a place),
    // or places of the grid.
    core::MatrixD places(const std::vector<std::int64_t>& rows) const;
    /// What each averages of a modality; sources are its kept rows.
    Contributions contributions(const std::string& modality,
                                const std::vector<std::int64_t>& rows) const;
    /// Share of each joint row's area that the modality covers; weights = area.
    std::vector<double> overlap(const Contributions& contributions,
                                const std::vector<std::int64_t>& rows) const;
    /// Whether each of these kept rows of a modality is in reach of any joint row.
    std::vector<std::uint8_t> in_reach(const std::string& modality,
                                       const std::vector<std::int64_t>& kept_rows) const;

  private:
    void place(const std::vector<KeptModality>& kept, const SpatialTransform& transform);
    void shape(const std::vector<KeptModality>& kept, const SpatialTransform& transform);
    void make_grid();
    const core::MatrixD& target_points() const;
    Footprints target_shapes(const std::vector<std::int64_t>& rows) const;

    std::string sample_;
    ReassignConfig config_;
    double spacing_ = 0;  ///< smallest distance of two spots
    double radius_ = 0;
    std::map<std::string, core::MatrixD> points_;
    std::map<std::string, Footprints> shapes_;  ///< weights = area
    spatial::HexGrid grid_;
    double pitch_ = 0;
};

}  // namespace smeta::align::detail
