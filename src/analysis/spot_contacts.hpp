#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/analysis/run_values.hpp"
#include "smeta/atlas/run.hpp"
#include "smeta/comm/comm.hpp"

namespace smeta::analysis::detail {

/// Neighbours of every spot that has a group (numbered over these spots alone), either way round,
/// ascending.
struct SpotContacts {
    std::vector<std::int64_t> indptr{0};
    std::vector<std::int32_t> neighbours;

    std::span<const std::int32_t> of(std::int64_t spot) const {
        return std::span(neighbours).subspan(indptr[spot], indptr[spot + 1] - indptr[spot]);
    }
};

/// The graphs of the values' sections (spatial::spatial_graph, from the joint files); `codes` as
/// for gather_features. A section without coordinates has no contacts. Collective.
SpotContacts read_contacts(const comm::Comm& comm, const atlas::Run& run, const RunValues& values,
                           std::span<const std::int32_t> codes);

}  // namespace smeta::analysis::detail
