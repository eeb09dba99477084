#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "smeta/comm/comm.hpp"

namespace smeta::analysis::detail {

/// A score of some of the spots that it is defined on, each as often as it is named.
using Statistic = std::function<double(std::span<const std::int64_t> spots)>;

/// `statistic` of `replicates` samples of as many of `spots` spots, drawn with replacement by
/// (seed, scope, replicate). Replicates are shared by ranks and threads, every rank gets all; the
/// same numbers on any number of them. Collective.
std::vector<double> bootstrap(const comm::Comm& comm, std::int64_t spots, std::int64_t replicates,
                              std::uint64_t seed, std::string_view scope,
                              const Statistic& statistic);

}  // namespace smeta::analysis::detail
