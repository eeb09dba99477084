#include "section_joint.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "smeta/align/align.hpp"
#include "smeta/core/error.hpp"
#include "smeta/spatial/knn.hpp"

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
    : sample_(std::move(sample)),
      cohort_(std::move(cohort)),
      raw_(raw),
      transform_(transform),
      config_(config) {
    for (const auto& [name, data] : raw.modalities) {
        const io::AnnData* tables = qc.find(name);
        if (tables == nullptr)
            throw core::FormatError(
                {"qc of " + sample_, "mod/" + name, "a table", "none", "run smeta qc again"});
        kept_.push_back(keep(name, data, *tables, readers.at(name)));
    }
    // The spots of ST are the rows; without ST those of the first modality.
    std::stable_partition(kept_.begin(), kept_.end(),
                          [](const KeptModality& modality) { return modality.name == "st"; });
    find_candidates();
}

bool SectionJoint::by_name(const KeptModality& modality) const {
    return modality.name != "sm" || !needs_alignment(raw_);
}

// Names of the base modality, then those that only other modalities joined by name have. A spot
// that any of them dropped is out.
void SectionJoint::find_candidates() {
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
    core::check(transform_.has_value(), "pixels with coordinates of their own have a transform");
    const KeptModality& st = kept_.front();
    const auto spots = st.raw->obsm.find("spatial");
    if (spots == st.raw->obsm.end())
        throw core::FormatError({"raw file of " + sample_, "mod/st/obsm/spatial",
                                 "coordinates of the spots", "none",
                                 "ingest the sample with positions"});
    const core::MatrixD pixels = apply(*transform_, modality.points);
    radius_ = config_.radius_factor * spacing_of(sample_, spots->second.leftCols(2), pixels);
    // A row without a place is in reach of nothing.
    std::vector<std::int64_t> placed;
    for (std::size_t i = 0; i < rows_.size(); ++i)
        if (const std::int64_t row = kept_row(st, rows_[i]);
            row >= 0 && st.points.row(static_cast<Eigen::Index>(row)).array().isFinite().all())
            placed.push_back(static_cast<std::int64_t>(i));
    core::MatrixD places(static_cast<Eigen::Index>(placed.size()), 2);
    for (std::size_t i = 0; i < placed.size(); ++i)
        places.row(static_cast<Eigen::Index>(i)) =
            st.points.row(static_cast<Eigen::Index>(kept_row(st, rows_[placed[i]])));
    PixelsInReach reach = pixels_in_reach(pixels, places, config_.neighbors, radius_);
    Part part;
    part.source = &modality;
    part.x = average(modality.values(reach.used), reach);
    part.pixels = std::move(reach.counts);
    if (placed.size() != rows_.size()) {
        core::CountsCsr x;
        x.cols = part.x.cols;
        std::vector<std::int64_t> counts(rows_.size(), 0);
        for (std::size_t i = 0, at = 0; i < rows_.size(); ++i) {
            if (at == placed.size() || placed[at] != static_cast<std::int64_t>(i)) {
                x.append_row({}, {});
                continue;
            }
            const auto row = static_cast<std::int64_t>(at);
            x.append_row(part.x.view().row_indices(row), part.x.view().row_values(row));
            counts[i] = part.pixels[at++];
        }
        part.x = std::move(x);
        part.pixels = std::move(counts);
    }
    for (const std::int64_t count : part.pixels) part.covered.push_back(count > 0 ? 1 : 0);
    return part;
}

void SectionJoint::take(comm::Range share) {
    rows_.assign(names_.begin() + share.first, names_.begin() + share.last);
    parts_.clear();
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
    for (Part& part : parts_) {
        part.x = core::select_rows(part.x, rows);
        keep_only(part.covered, keep);
        keep_only(part.pixels, keep);
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
    for (const Part& part : parts_) {
        const std::vector<double> totals = core::row_sums(part.x);
        if (part.source->name == "sm") {
            if (config_.drop_uncovered && parts_.size() > 1)
                drop(DropReason::Uncovered, [&](std::size_t i) { return part.covered[i] == 0; });
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
