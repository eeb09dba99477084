#include "section_joint.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "smeta/align/align.hpp"
#include "smeta/core/error.hpp"

namespace smeta::align::detail {

namespace {

template <class T>
void keep_only(std::vector<T>& values, const std::vector<std::uint8_t>& keep) {
    if (values.empty()) return;
    std::size_t at = 0;
    for (std::size_t i = 0; i < keep.size(); ++i)
        if (keep[i] != 0) values[at++] = values[i];
    values.resize(at);
}

}  // namespace

SectionTotals add_up(const comm::Comm& comm, const SectionTotals& mine) {
    SectionTotals sum;
    for (const SectionTotals::Rows& rows : comm.allgather(mine.rows)) {
        sum.rows.candidates += rows.candidates;
        sum.rows.left += rows.left;
        sum.rows.missing += rows.missing;
        for (std::size_t r = 0; r < rows.dropped.size(); ++r)
            sum.rows.dropped[r] += rows.dropped[r];
    }
    sum.parts.resize(mine.parts.size());
    for (const auto& parts : comm.allgather(std::span<const PartTotals>(mine.parts)))
        for (std::size_t p = 0; p < sum.parts.size(); ++p) {
            sum.parts[p].reached += parts.at(p).reached;
            sum.parts[p].covered += parts.at(p).covered;
            sum.parts[p].missing += parts.at(p).missing;
            sum.parts[p].values += parts.at(p).values;
        }
    return sum;
}

SectionJoint::SectionJoint(std::string sample, std::string cohort, const io::MuData& raw,
                           const io::MuData& qc, const std::map<std::string, RowReader>& readers,
                           const std::optional<SpatialTransform>& transform,
                           const ReassignConfig& config)
    : sample_(std::move(sample)), cohort_(std::move(cohort)), raw_(raw), config_(config) {
    for (const auto& [name, data] : raw.modalities) {
        const io::AnnData* tables = qc.find(name);
        if (tables == nullptr)
            throw core::FormatError(
                {"qc of " + sample_, "mod/" + name, "a table", "none", "run smeta qc again"});
        kept_.push_back(keep(name, data, *tables, readers.at(name)));
    }
    make_frame(transform);
    // The target's rows are the joint rows; without ST those of the first modality.
    const char* base = frame_ && config_.target == ReassignTarget::Sm ? "sm" : "st";
    std::stable_partition(kept_.begin(), kept_.end(),
                          [&](const KeptModality& modality) { return modality.name == base; });
    find_candidates();
}

void SectionJoint::make_frame(const std::optional<SpatialTransform>& transform) {
    if (needs_alignment(raw_)) {
        core::check(transform.has_value(), "pixels with coordinates of their own have a transform");
        frame_.emplace(sample_, raw_, kept_, *transform, config_);
        return;
    }
    const bool other = config_.target != ReassignTarget::St;
    if (kept_.size() > 1 && (other || config_.weights == ReassignWeights::Area))
        throw core::ConfigError(fmt::format(
            "sample '{}': reassign.{} needs pixels with coordinates of their own, but its "
            "modalities share their spots by name, so that nothing is averaged; use reassign.{}",
            sample_, other ? "target = sm or hex" : "weights = area",
            other ? "target = st" : "weights = nearest"));
}

// Which modalities' rows are joint rows, or joined to them by their names.
bool SectionJoint::by_name(const KeptModality& modality) const {
    if (!frame_) return true;
    if (config_.target == ReassignTarget::Hex) return false;
    return (modality.name == "sm") == (config_.target == ReassignTarget::Sm);
}

// Names of the base modality, then those that only other modalities joined by name have. A spot
// that any of them dropped is out. On a grid every place is a candidate.
void SectionJoint::find_candidates() {
    if (frame_ && config_.target == ReassignTarget::Hex) {
        const spatial::ArrayPositions& array = frame_->grid().array;
        for (std::size_t i = 0; i < array.row.size(); ++i)
            grid_names_.push_back(fmt::format("hex_{}_{}", array.row[i], array.column[i]));
        names_.assign(grid_names_.begin(), grid_names_.end());
    }
    for (const KeptModality& modality : kept_) {
        if (!by_name(modality)) continue;
        auto& row = row_by_name_[modality.name];
        const auto& index = modality.raw->obs.index;
        row.reserve(index.size());
        for (const std::string& name : index) row.emplace(name, -1);
        for (std::size_t i = 0; i < modality.rows.size(); ++i)
            row[index[modality.rows[i]]] = static_cast<std::int64_t>(i);
    }
    for (std::size_t m = 0; m < kept_.size(); ++m) {
        if (!by_name(kept_[m])) continue;
        for (const std::string& name : kept_[m].raw->obs.index) {
            bool seen = false;
            bool fails = false;
            for (std::size_t other = 0; other < kept_.size(); ++other) {
                if (!by_name(kept_[other])) continue;
                const auto& row = row_by_name_.at(kept_[other].name);
                const auto found = row.find(name);
                if (found == row.end()) continue;
                seen = seen || other < m;
                fails = fails || found->second < 0;
            }
            if (seen) continue;
            if (fails)
                ++failed_;
            else
                names_.push_back(name);
        }
    }
}

std::int64_t SectionJoint::kept_row(const KeptModality& modality, std::string_view name) const {
    const auto& row = row_by_name_.at(modality.name);
    const auto found = row.find(name);
    return found == row.end() ? -1 : found->second;
}

Part SectionJoint::named_part(const KeptModality& modality) const {
    Part part;
    part.source = &modality;
    for (const std::string& name : rows_) {
        part.kept_rows.push_back(kept_row(modality, name));
        part.covered.push_back(part.kept_rows.back() < 0 ? 0 : 1);
    }
    part.x = modality.values(part.kept_rows);
    return part;
}

Part SectionJoint::averaged_part(const KeptModality& modality) {
    Contributions from = frame_->contributions(modality.name, frame_rows_);
    RowUses uses{modality.name, std::vector<std::int64_t>(modality.rows.size(), 0)};
    for (const std::int64_t source : from.source) ++uses.joint_rows[source];
    uses_.push_back(std::move(uses));
    Part part;
    part.source = &modality;
    const auto used = renumber(from, static_cast<std::int64_t>(modality.rows.size()));
    part.x = average(modality.values(used), from,
                     modality.name == "st" ? Rounding::HalfToEven : Rounding::None);
    for (std::int64_t row = 0; row < from.targets(); ++row) {
        part.pixels.push_back(from.count(row));
        part.covered.push_back(from.count(row) > 0 ? 1 : 0);
    }
    if (config_.weights == ReassignWeights::Area) part.overlap = frame_->overlap(from, frame_rows_);
    return part;
}

void SectionJoint::take(comm::Range share) {
    rows_.assign(names_.begin() + share.first, names_.begin() + share.last);
    frame_rows_.clear();
    for (std::int64_t i = share.first; frame_ && i < share.last; ++i)
        frame_rows_.push_back(grid_names_.empty() ? kept_row(kept_.front(), names_[i]) : i);
    parts_.clear();
    uses_.clear();
    totals_ = {};
    totals_.rows.candidates = share.size();
    for (const KeptModality& modality : kept_) {
        parts_.push_back(by_name(modality) ? named_part(modality) : averaged_part(modality));
        const auto& covered = parts_.back().covered;
        totals_.parts.push_back({.reached = std::count(covered.begin(), covered.end(), 1)});
    }
    apply_thresholds();
    totals_.rows.left = static_cast<std::int64_t>(rows_.size());
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        const Part& part = parts_[p];
        totals_.parts[p].covered = std::count(part.covered.begin(), part.covered.end(), 1);
        totals_.parts[p].missing = std::count(part.kept_rows.begin(), part.kept_rows.end(), -1);
        totals_.parts[p].values = part.x.nnz();
    }
    const auto in_file = rows_of_file();
    totals_.rows.missing = std::count(in_file.begin(), in_file.end(), -1);
}

// Coordinates of the share's rows from the first modality that has them.
std::optional<core::MatrixD> SectionJoint::points() const {
    if (frame_ && config_.target != ReassignTarget::St) return frame_->places(frame_rows_);
    core::MatrixD points = core::MatrixD::Constant(static_cast<Eigen::Index>(rows_.size()), 2,
                                                   std::numeric_limits<double>::quiet_NaN());
    bool any = false;
    for (const Part& part : parts_) {
        if (!by_name(*part.source) || part.source->points.cols() == 0) continue;
        any = true;
        for (Eigen::Index i = 0; i < points.rows(); ++i)
            if (part.kept_rows[i] >= 0 && std::isnan(points(i, 0)))
                points.row(i) = part.source->points.row(part.kept_rows[i]);
    }
    if (!any) return std::nullopt;
    return points;
}

void SectionJoint::filter(const std::vector<std::uint8_t>& keep) {
    std::vector<std::int64_t> rows;
    for (std::size_t i = 0; i < keep.size(); ++i)
        if (keep[i] != 0) rows.push_back(static_cast<std::int64_t>(i));
    if (rows.size() == keep.size()) return;
    keep_only(rows_, keep);
    keep_only(frame_rows_, keep);
    for (Part& part : parts_) {
        part.x = core::select_rows(part.x, rows);
        keep_only(part.covered, keep);
        keep_only(part.pixels, keep);
        keep_only(part.overlap, keep);
        keep_only(part.kept_rows, keep);
    }
}

void SectionJoint::apply_thresholds() {
    std::vector<std::uint8_t> keep(rows_.size(), 1);
    const auto drop = [&](DropReason reason, const auto& fails) {
        for (std::size_t i = 0; i < keep.size(); ++i) {
            if (keep[i] == 0 || !fails(i)) continue;
            keep[i] = 0;
            ++totals_.rows.dropped[static_cast<std::size_t>(reason)];
        }
    };
    if (const auto places = points())
        drop(DropReason::MissingPosition, [&](std::size_t i) {
            return !places->row(static_cast<Eigen::Index>(i)).array().isFinite().all();
        });
    // A place of the grid that no modality has is no tissue.
    if (!grid_names_.empty())
        drop(DropReason::Uncovered, [&](std::size_t i) {
            return std::all_of(parts_.begin(), parts_.end(),
                               [&](const Part& part) { return part.covered[i] == 0; });
        });
    for (const Part& part : parts_) {
        const std::vector<double> totals = core::row_sums(part.x);
        if (config_.drop_uncovered && parts_.size() > 1 &&
            (part.source->name == "sm" || !by_name(*part.source)))
            drop(DropReason::Uncovered, [&](std::size_t i) { return part.covered[i] == 0; });
        if (part.source->name == "sm") {
            if (config_.min_intensity)
                drop(DropReason::LowIntensity,
                     [&](std::size_t i) { return totals[i] < *config_.min_intensity; });
        }
        if (part.source->name == "st" && config_.max_counts)
            drop(DropReason::HighCounts,
                 [&](std::size_t i) { return totals[i] > *config_.max_counts; });
    }
    filter(keep);
}

}  // namespace smeta::align::detail
