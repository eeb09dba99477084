#include "bootstrap.hpp"

#include "smeta/core/random.hpp"
#include "smeta/core/threads.hpp"

#include "share_rows.hpp"

namespace smeta::analysis::detail {
namespace {

/// Draws of this purpose: beyond the epochs that the others of DrawPurpose::Cluster use.
constexpr std::uint64_t kReplicateDraws = std::uint64_t{1} << 42U;
constexpr std::int64_t kWords = 4;

std::vector<std::int64_t> resampled(std::int64_t spots, const core::Philox& random) {
    std::vector<std::int64_t> result;
    result.reserve(spots + kWords);
    for (std::uint64_t block = 0; static_cast<std::int64_t>(result.size()) < spots; ++block)
        for (const auto word : random.words(block)) {
            __extension__ using Wide = unsigned __int128;
            result.push_back(
                static_cast<std::int64_t>(Wide{word} * static_cast<std::uint64_t>(spots) >> 64U));
        }
    result.resize(spots);
    return result;
}

core::Philox draws_of(std::uint64_t seed, std::string_view scope, std::int64_t replicate) {
    return {seed,
            core::DrawPurpose::Cluster,
            kReplicateDraws + static_cast<std::uint64_t>(replicate),
            {core::sample_key(scope), 0}};
}

}  // namespace

std::vector<double> bootstrap(const comm::Comm& comm, std::int64_t spots, std::int64_t replicates,
                              std::uint64_t seed, std::string_view scope,
                              const Statistic& statistic) {
    return share_rows(comm, replicates, [&](comm::Range own) {
        std::vector<double> result(own.size());
#pragma omp parallel for schedule(dynamic, 1) num_threads(core::threads())
        for (std::int64_t r = 0; r < own.size(); ++r)
            result[r] = statistic(resampled(spots, draws_of(seed, scope, own.first + r)));
        return result;
    });
}

SpotDraws::SpotDraws(std::int64_t spots, std::int64_t replicates, std::uint64_t seed,
                     std::string_view scope)
    : replicates_(replicates), counts_(static_cast<std::size_t>(spots * replicates), 0) {
#pragma omp parallel for schedule(static) num_threads(core::threads())
    for (std::int64_t r = 0; r < replicates; ++r)
        for (const auto spot : resampled(spots, draws_of(seed, scope, r)))
            ++counts_[static_cast<std::size_t>(spot * replicates + r)];
}

}  // namespace smeta::analysis::detail
