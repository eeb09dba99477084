#include "smeta/model/reducers.hpp"

#include <algorithm>
#include <bit>
#include <memory>

#include "smeta/comm/share_sum.hpp"

namespace smeta::model {

namespace {

// Latents of all chunks of all ranks in one message: rank after rank is lane after lane, because
// ranks own contiguous lanes. A rank's part: its latents, then its codes as the bits of floats.
void gather_latents(const comm::Comm& comm, const std::vector<LatentPart<float>>& parts,
                    GatheredLatents<float>& all) {
    all.latent.clear();
    all.codes.clear();
    all.first_row.clear();
    std::int64_t rows = 0;
    for (const auto& part : parts) {
        all.latent.insert(all.latent.end(), part.latent.begin(), part.latent.end());
        all.codes.insert(all.codes.end(), part.codes.begin(), part.codes.end());
        all.first_row.push_back(rows);
        rows += part.rows;
    }
    if (comm.size() == 1) return;
    std::vector<float> message(all.latent);
    for (const std::int32_t code : all.codes) message.push_back(std::bit_cast<float>(code));
    message.push_back(std::bit_cast<float>(static_cast<std::int32_t>(rows)));
    message.push_back(std::bit_cast<float>(static_cast<std::int32_t>(all.codes.size())));
    all.latent.clear();
    all.codes.clear();
    std::int64_t before = 0;
    int rank = 0;
    for (const auto& part : comm.allgather(std::span<const float>(message))) {
        const auto codes = std::bit_cast<std::int32_t>(part.back());
        if (rank++ < comm.rank()) before += std::bit_cast<std::int32_t>(part[part.size() - 2]);
        const auto first_code = part.end() - 2 - codes;
        all.latent.insert(all.latent.end(), part.begin(), first_code);
        for (auto code = first_code; code != part.end() - 2; ++code)
            all.codes.push_back(std::bit_cast<std::int32_t>(*code));
    }
    for (std::int64_t& first : all.first_row) first += before;
}

void sum_in_order(const std::vector<std::span<double>>& parts, std::span<double> total) {
    std::ranges::copy(parts[0], total.begin());
    for (std::size_t p = 1; p < parts.size(); ++p)
        for (std::size_t i = 0; i < total.size(); ++i) total[i] += parts[p][i];
}

// Copies of the result share its buffers.
auto gradient_sum(comm::ShareSum<float> sum) {
    return [sum = std::make_shared<comm::ShareSum<float>>(std::move(sum))](
               const std::vector<std::span<float>>& parts, std::span<float> total) {
        (*sum)(parts, total);
    };
}

}  // namespace

nn::ArenaPart arena_share(const nn::ParameterLayout& layout, const comm::Comm& comm) {
    const comm::Range share =
        comm::share_of(layout.size(), comm.size(), comm.rank(), nn::kNormBlock);
    return {share.first, share.last};
}

void gather_arena(const comm::Comm& comm, nn::ParameterArena<float>& arena) {
    comm::gather_shares<float>(comm, arena.data(), nn::kNormBlock);
}

StepReducer<float> fixed_tree_reducer(const comm::Comm& comm,
                                      const comm::SpotPartition& partition) {
    StepReducer<float> reducer;
    reducer.combine = Combine::Tree;
    const std::int64_t first = partition.lanes_of(comm.rank()).first;
    for (const comm::Range& subtree : partition.subtrees_of(comm.rank()))
        reducer.groups.push_back({subtree.first - first, subtree.last - first});
    reducer.sum = [&comm, &partition](const std::vector<std::span<double>>& parts,
                                      std::span<double> total) {
        comm::lane_tree_sum<double>(comm, partition, parts, total);
    };
    reducer.sum_gradients = gradient_sum({comm, partition, nn::kNormBlock});
    reducer.gather = [&comm](const std::vector<LatentPart<float>>& parts,
                             GatheredLatents<float>& all) { gather_latents(comm, parts, all); };
    return reducer;
}

StepReducer<float> fast_reducer(const comm::Comm& comm) {
    StepReducer<float> reducer;
    reducer.sum = [&comm](const std::vector<std::span<double>>& parts, std::span<double> total) {
        sum_in_order(parts, total);
        if (comm.size() > 1) comm.allreduce(total);
    };
    reducer.sum_gradients = gradient_sum({comm, nn::kNormBlock});
    reducer.gather = [&comm](const std::vector<LatentPart<float>>& parts,
                             GatheredLatents<float>& all) { gather_latents(comm, parts, all); };
    return reducer;
}

StepReducer<float> timed(StepReducer<float> reducer, core::Timings& timings) {
    StepReducer<float> result = reducer;
    result.sum = [&timings, sum = std::move(reducer.sum)](
                     const std::vector<std::span<double>>& parts, std::span<double> total) {
        const core::Timings::Scope scope(timings, "train/wait");
        sum(parts, total);
    };
    result.sum_gradients = [&timings, sum = std::move(reducer.sum_gradients)](
                               const std::vector<std::span<float>>& parts, std::span<float> total) {
        const core::Timings::Scope scope(timings, "train/wait");
        sum(parts, total);
    };
    result.gather = [&timings, gather = std::move(reducer.gather)](
                        const std::vector<LatentPart<float>>& parts, GatheredLatents<float>& all) {
        const core::Timings::Scope scope(timings, "train/wait");
        gather(parts, all);
    };
    return result;
}

}  // namespace smeta::model
