#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis {

/// A group (cluster, label, region, sample) of every spot of some samples of a run.
struct Groups {
    std::string key;                  ///< the obs column
    std::vector<std::string> names;   ///< as numbers where all are whole numbers, else bytewise
    std::vector<std::int32_t> codes;  ///< position in `names` of every spot, -1 for none; samples
                                      ///< in the order given, then row

    std::int32_t count() const { return static_cast<std::int32_t>(names.size()); }
};

/// Column `key` of the samples' results, or else of their joint files' obs; every rank gets all.
/// Empty values and those of `ignored` are no group; a sample without the column has none.
/// ConfigError, naming the columns that are there, when no sample has it. Collective.
Groups read_groups(const comm::Comm& comm, const atlas::Run& run,
                   const std::vector<std::string>& samples, const std::string& key,
                   const std::vector<std::string>& ignored = {});

/// The samples of `wanted` (all of the run when empty) in the run's order. ConfigError for one that
/// the run does not have. Local.
std::vector<std::string> chosen_samples(const atlas::Run& run,
                                        const std::vector<std::string>& wanted);

}  // namespace smeta::analysis
