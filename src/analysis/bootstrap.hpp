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

/// How often each spot is in each of the samples that `bootstrap` draws for the same arguments.
/// One byte a spot and replicate. Local.
class SpotDraws {
  public:
    SpotDraws(std::int64_t spots, std::int64_t replicates, std::uint64_t seed,
              std::string_view scope);

    std::int64_t replicates() const { return replicates_; }
    /// One number a replicate.
    std::span<const std::uint8_t> of_spot(std::int64_t spot) const {
        return std::span(counts_).subspan(static_cast<std::size_t>(spot * replicates_),
                                          static_cast<std::size_t>(replicates_));
    }

  private:
    std::int64_t replicates_;
    std::vector<std::uint8_t>
        counts_;  ///< spot after spot; no spot is drawn 256 times (p < 1e-500)
};

}  // namespace smeta::analysis::detail
