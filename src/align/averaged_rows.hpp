#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "smeta/align/align_config.hpp"
#include "smeta/atlas/manifest.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::align::detail {

/// What averaging made of the rows of one modality that quality control kept: used, or lost. A
/// total is the sum of a row's values as quality control has it.
struct AveragedRows {
    /// Why a row is in no joint row: further rows lie nearer to all that it is in reach of, or it
    /// is in reach of none (weights = area: it lies on none).
    enum Reason { NotNearest, OutOfReach };

    std::string modality;
    /// Their names; joint_rows: how many it enters, reason: why none.
    io::Frame rows;
    std::int64_t used = 0;
    std::map<std::string, std::int64_t> dropped;
    std::int32_t features = 0;
    /// Of the totals' sum, what the used rows and those out of reach have; absent where quality
    /// control has no totals.
    std::optional<double> used_share;
    std::optional<double> unreached_share;
};

/// `joint_rows`: how many each enters; `in_reach`: of those that enter none; `totals` of all, may
/// be empty.
AveragedRows averaged_rows(std::string modality, std::vector<std::string> names,
                           std::vector<std::int64_t> joint_rows,
                           const std::vector<std::uint8_t>& in_reach,
                           const std::vector<double>& totals);

/// "; sm: 390 of 400 rows averaged (97.2 % of the total), 6 not nearest, 4 out of reach (0.9 %)".
std::string describe(const AveragedRows& rows);
/// Rows as in the manifest: read = rows + dropped.
std::map<std::string, atlas::ModalityShape> shapes_of(const std::vector<AveragedRows>& all);
/// A MuData file without values: obs as above, uns/smeta/reassign = {target, weights, used_share,
/// unreached_share} of every modality.
void write_averaged_rows(const std::filesystem::path& path, const std::vector<AveragedRows>& all,
                         const ReassignConfig& config);

}  // namespace smeta::align::detail
