#include "section_frame.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include <fmt/format.h>

#include "smeta/core/error.hpp"
#include "smeta/io/source_info.hpp"
#include "smeta/spatial/knn.hpp"

namespace smeta::align::detail {

namespace {

constexpr double kMostPlaces = 1e8;  // of a grid

/// The scale of the section: the smallest distance between two spots; of a single spot that between
/// two pixels, and without any no limit: what there is belongs together.
double spacing_of(const std::string& sample, const core::MatrixD& spots,
                  const core::MatrixD& pixels) {
    if (spots.rows() == 1) {
        const double spacing = spatial::minimum_distance(pixels);
        return spacing > 0.0 ? spacing : std::numeric_limits<double>::max();
    }
    const double spacing = spatial::minimum_distance(spots);
    if (!(spacing > 0.0))
        throw core::FormatError({"raw file of " + sample, "mod/st/obsm/spatial",
                                 "spots at distinct places",
                                 fmt::format("smallest distance {}", spacing), ""});
    return spacing;
}

const io::UnsDict* dict_in(const io::UnsDict& parent, const std::string& key) {
    const auto found = parent.find(key);
    return found == parent.end() ? nullptr : std::get_if<io::UnsDict>(&found->second.value);
}

/// Space Ranger's diameter of a spot in the unit of the coordinates.
std::optional<double> declared_diameter(const io::AnnData& st) {
    const io::UnsDict* sections = dict_in(st.uns, "spatial");
    if (sections == nullptr) return std::nullopt;
    // Positions from the barcodes of Visium HD are in micrometres, others in pixels of the image.
    const char* key = io::unit(st) == io::kUnitMicron ? "bin_size_um" : "spot_diameter_fullres";
    for (const auto& [name, unused] : *sections) {
        const io::UnsDict* section = dict_in(*sections, name);
        const io::UnsDict* factors =
            section == nullptr ? nullptr : dict_in(*section, "scalefactors");
        if (factors == nullptr || !factors->contains(key)) continue;
        const auto* value = std::get_if<double>(&factors->at(key).value);
        if (value != nullptr && *value > 0) return *value;
    }
    return std::nullopt;
}

/// Places of a modality's kept rows by the names of the spots, where it has none of its own.
core::MatrixD places_by_name(const KeptModality& modality, const KeptModality& st) {
    std::unordered_map<std::string_view, std::int64_t> row;
    for (std::size_t i = 0; i < st.rows.size(); ++i)
        row.emplace(st.raw->obs.index[st.rows[i]], static_cast<std::int64_t>(i));
    core::MatrixD points = core::MatrixD::Constant(static_cast<Eigen::Index>(modality.rows.size()),
                                                   2, std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < modality.rows.size(); ++i)
        if (const auto found = row.find(modality.raw->obs.index[modality.rows[i]]);
            found != row.end())
            points.row(static_cast<Eigen::Index>(i)) = st.points.row(found->second);
    return points;
}

core::MatrixD finite_rows(const core::MatrixD& points) {
    return select(points, placed(points));
}

const KeptModality& find(const std::vector<KeptModality>& kept, const std::string& name) {
    return *std::find_if(kept.begin(), kept.end(),
                         [&](const KeptModality& modality) { return modality.name == name; });
}

}  // namespace

SectionFrame::SectionFrame(const std::string& sample, const io::MuData& raw,
                           const std::vector<KeptModality>& kept, const SpatialTransform& transform,
                           const ReassignConfig& config)
    : sample_(sample), config_(config) {
    const auto spots = raw.find("st")->obsm.find("spatial");
    if (spots == raw.find("st")->obsm.end())
        throw core::FormatError({"raw file of " + sample_, "mod/st/obsm/spatial",
                                 "coordinates of the spots", "none",
                                 "ingest the sample with positions"});
    place(kept, transform);
    spacing_ = spacing_of(sample_, spots->second.leftCols(2), points_.at("sm"));
    radius_ = config_.radius_factor * spacing_;
    if (config_.weights == ReassignWeights::Area) shape(kept, transform);
    if (config_.target == ReassignTarget::Hex) make_grid();
}

void SectionFrame::place(const std::vector<KeptModality>& kept, const SpatialTransform& transform) {
    const KeptModality& st = find(kept, "st");
    for (const KeptModality& modality : kept) {
        if (modality.name == "sm")
            points_["sm"] = apply(transform, modality.points);
        else if (modality.points.cols() > 0)
            points_[modality.name] = modality.points;
        else
            points_[modality.name] = places_by_name(modality, st);
    }
}

void SectionFrame::shape(const std::vector<KeptModality>& kept, const SpatialTransform& transform) {
    const KeptModality& sm = find(kept, "sm");
    const auto diameter =
        config_.spot_diameter ? config_.spot_diameter : declared_diameter(*find(kept, "st").raw);
    if (!diameter)
        throw core::ConfigError(fmt::format(
            "sample '{}': reassign.weights = area needs the diameter of a spot, which the raw file "
            "does not have (Space Ranger's spot_diameter_fullres); give reassign.spot_diameter in "
            "the unit of the spots' coordinates",
            sample_));
    const double side = config_.pixel_size ? *config_.pixel_size
                                           : spatial::minimum_distance(finite_rows(sm.points));
    if (!(side > 0))
        throw core::ConfigError(fmt::format(
            "sample '{}': reassign.weights = area needs the side of a pixel, which {} pixels at "
            "distinct places do not tell; give reassign.pixel_size in the unit of the imaging "
            "coordinates",
            sample_, sm.points.rows()));
    for (const auto& [name, points] : points_)
        shapes_[name] = name == "sm" ? Footprints::squares(sm.points, side, transform)
                                     : Footprints::discs(points, *diameter);
}

// Both tissues lie in both convex hulls, as far as spots and pixels tell.
void SectionFrame::make_grid() {
    const auto hull = [&](const char* modality) {
        return spatial::convex_hull(finite_rows(points_.at(modality)));
    };
    const spatial::Polygon spots = hull("st");
    const spatial::Polygon pixels = hull("sm");
    if (spots.size() < 3 || pixels.size() < 3)
        throw core::ConfigError(fmt::format(
            "sample '{}': reassign.target = hex needs tissues that cover an area: the {} lie on "
            "one line or on one place",
            sample_, spots.size() < 3 ? "spots" : "pixels"));
    const spatial::Polygon shared = spatial::clip(spots, pixels);
    const double area = spatial::signed_area(shared);
    if (!(area > 0))
        throw core::ConfigError(fmt::format(
            "sample '{}': spots and pixels share no area; are they in the same frame? Give "
            "align.transform with the sample (ST = A SM + t), or align.method = fit",
            sample_));
    pitch_ = config_.hex_pitch.value_or(spacing_);
    const auto [left, right] = std::minmax_element(shared.begin(), shared.end());
    const auto [low, high] = std::minmax_element(
        shared.begin(), shared.end(), [](const auto& a, const auto& b) { return a[1] < b[1]; });
    const double width = (*right)[0] - (*left)[0];
    const double height = (*high)[1] - (*low)[1];
    const double places = area / (pitch_ * pitch_ * std::sqrt(0.75));
    if (pitch_ <= std::max(width, height) && places < kMostPlaces)
        grid_ = spatial::hex_grid(shared, pitch_);
    if (grid_.points.rows() == 0)
        throw core::ConfigError(fmt::format(
            "sample '{}': a hexagonal grid of pitch {:.6g} has {} where both tissues lie, {:.6g} "
            "by {:.6g}; set reassign.hex_pitch, in the unit of the spots' coordinates (the "
            "smallest distance of two spots is {:.6g})",
            sample_, pitch_, places < kMostPlaces ? "no place" : "too many places", width, height,
            spacing_));
}

const core::MatrixD& SectionFrame::target_points() const {
    if (config_.target == ReassignTarget::Hex) return grid_.points;
    return points_.at(config_.target == ReassignTarget::St ? "st" : "sm");
}

core::MatrixD SectionFrame::places(const std::vector<std::int64_t>& rows) const {
    const core::MatrixD& all = target_points();
    core::MatrixD result = core::MatrixD::Constant(static_cast<Eigen::Index>(rows.size()), 2,
                                                   std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (rows[i] >= 0) result.row(static_cast<Eigen::Index>(i)) = all.row(rows[i]);
    return result;
}

Footprints SectionFrame::target_shapes(const std::vector<std::int64_t>& rows) const {
    if (config_.target == ReassignTarget::Hex)
        return Footprints::cells(places(rows), spatial::hex_cell(pitch_));
    return shapes_.at(config_.target == ReassignTarget::St ? "st" : "sm").select(rows);
}

Contributions SectionFrame::contributions(const std::string& modality,
                                          const std::vector<std::int64_t>& rows) const {
    if (config_.weights == ReassignWeights::Area)
        return overlapping(shapes_.at(modality), target_shapes(rows));
    return nearest(points_.at(modality), places(rows), config_.neighbors, radius_);
}

std::vector<double> SectionFrame::overlap(const Contributions& contributions,
                                          const std::vector<std::int64_t>& rows) const {
    const Footprints shapes = target_shapes(rows);
    std::vector<double> shares;
    for (std::int64_t row = 0; row < contributions.targets(); ++row) {
        double shared = 0;
        for (const double weight : contributions.weights(row)) shared += weight;
        shares.push_back(shared > 0 ? shared / shapes.area(row) : 0);
    }
    return shares;
}

std::vector<std::uint8_t> SectionFrame::in_reach(const std::string& modality,
                                                 const std::vector<std::int64_t>& kept_rows) const {
    std::vector<std::uint8_t> reached(kept_rows.size(), 0);
    if (config_.weights == ReassignWeights::Area) return reached;
    const Contributions found =
        nearest(target_points(), select(points_.at(modality), kept_rows), 1, radius_);
    for (std::size_t i = 0; i < kept_rows.size(); ++i)
        reached[i] = found.count(static_cast<std::int64_t>(i)) > 0 ? 1 : 0;
    return reached;
}

}  // namespace smeta::align::detail
