#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "smeta/align/reassign.hpp"
#include "smeta/align/stack.hpp"
#include "smeta/comm/comm.hpp"

#include "averaged_rows.hpp"
#include "joint_impl.hpp"
#include "section_frame.hpp"

namespace smeta::align::detail {

/// Why a spot of the raw data is no joint row, in the order of the log line.
enum class DropReason { HighCounts, LowIntensity, MissingPosition, QualityControl, Uncovered };
inline constexpr std::array<std::string_view, 5> kDropReasons{
    "high counts", "low intensity", "missing position", "quality control", "uncovered"};

/// Numbers of one modality over the joint rows; those of all ranks add up.
struct PartTotals {
    std::int64_t reached = 0;  ///< rows with values of it before the thresholds
    std::int64_t covered = 0;  ///< after them
    std::int64_t missing = 0;  ///< rows that its obs table does not have
    std::int64_t values = 0;   ///< entries that are not 0
};

/// Numbers of a section's rows; those of all ranks add up.
struct SectionTotals {
    struct Rows {
        std::int64_t candidates = 0;
        std::int64_t left = 0;
        std::int64_t missing = 0;                                 ///< in the obs of the whole file
        std::array<std::int64_t, kDropReasons.size()> dropped{};  ///< by the thresholds
    } rows;
    std::vector<PartTotals> parts;
};
/// The sum over all ranks. Collective.
SectionTotals add_up(const comm::Comm& comm, const SectionTotals& mine);

/// A modality over joint rows.
struct Part {
    const KeptModality* source = nullptr;
    core::CountsCsr x;
    std::vector<std::uint8_t> covered;
    std::vector<std::int64_t> pixels;  ///< of averaged modalities: rows averaged; else empty
    std::vector<double> overlap;       ///< likewise, with weights = area: share of the row's area
    std::vector<std::int64_t> kept_rows;  ///< -1: absent; empty for averaged modalities
};

/// How many joint rows (before the thresholds) each kept row of an averaged modality enters.
struct RowUses {
    std::string modality;
    std::vector<std::int64_t> joint_rows;
};

/// The joint table of one section, or one rank's share of its rows: `take` reads the share's
/// values, `totals` says what `finish` must know of all shares. Every share is equal to those rows
/// of the whole table. `raw` and `qc` are tables without X, complete on every rank; `raw` outlives
/// the object. Local.
class SectionJoint {
  public:
    SectionJoint(std::string sample, std::string cohort, const io::MuData& raw,
                 const io::MuData& qc, const std::map<std::string, RowReader>& readers,
                 const std::optional<SpatialTransform>& transform, const ReassignConfig& config);

    /// Gives the joint rows obsm spatial_3d, their places in the block of the section.
    void set_stack_path(StackPath path) { path_ = std::move(path); }
    /// Joint rows before the thresholds (spots that quality control left): what is shared out.
    std::int64_t candidates() const { return static_cast<std::int64_t>(names_.size()); }
    void take(comm::Range share);
    const SectionTotals& totals() const { return totals_; }
    /// Of the share; those of all ranks add up.
    std::vector<RowUses>& uses() { return uses_; }
    /// What averaging made of the kept rows of each averaged modality; `uses`: of all shares.
    std::vector<AveragedRows> averaged_rows(const std::vector<RowUses>& uses) const;
    /// ConfigError when the section has no row left or no pixel in reach. Once.
    JointTable finish(const SectionTotals& all);

  private:
    void make_frame(const std::optional<SpatialTransform>& transform);
    bool by_name(const KeptModality& modality) const;
    void find_candidates();
    std::int64_t kept_row(const KeptModality& modality, std::string_view name) const;
    Part named_part(const KeptModality& modality) const;
    Part averaged_part(const KeptModality& modality);
    [[noreturn]] void refuse_apart(const KeptModality& modality) const;
    std::optional<core::MatrixD> points() const;
    void apply_thresholds();
    void filter(const std::vector<std::uint8_t>& keep);
    std::vector<std::int64_t> rows_of_file() const;
    io::Frame obs(const SectionTotals& all) const;
    io::MuData as_mudata(const SectionTotals& all);
    std::string summary(const SectionTotals& all) const;
    /// What the joint rows are, in the singular.
    std::string_view noun() const;

    std::string sample_;
    std::string cohort_;
    const io::MuData& raw_;
    ReassignConfig config_;
    std::vector<KeptModality> kept_;     ///< the target's modality first
    std::optional<SectionFrame> frame_;  ///< where pixels have coordinates of their own
    /// Kept row by name, -1 where dropped, of the modalities joined by name.
    std::map<std::string, std::unordered_map<std::string_view, std::int64_t>> row_by_name_;
    StackPath path_;  ///< empty where the section is in no stack

    std::vector<std::string> grid_names_;  ///< target hex
    std::vector<std::string_view> names_;  ///< of all candidates
    std::int64_t failed_ = 0;              ///< spots that quality control dropped

    std::vector<std::string> rows_;         ///< names of the share's rows
    std::vector<std::int64_t> frame_rows_;  ///< their rows in frame_
    std::vector<Part> parts_;               ///< in the order of kept_
    std::vector<RowUses> uses_;
    SectionTotals totals_;
};

}  // namespace smeta::align::detail
