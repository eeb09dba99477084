#include "smeta/model/reducers.hpp"

#include <algorithm>

#include "smeta/core/threads.hpp"

namespace smeta::model {

namespace {

// Latents of all chunks of all ranks: rank after rank is lane after lane, because ranks own
// contiguous lanes.
GatheredLatents<float> gather_latents(const comm::Comm& comm,
                                      const std::vector<LatentPart<float>>& parts) {
    std::vector<float> latent;
    std::vector<std::int32_t> codes;
    std::vector<std::int64_t> rows_before{0};
    for (const auto& part : parts) {
        latent.insert(latent.end(), part.latent.begin(), part.latent.end());
        codes.insert(codes.end(), part.codes.begin(), part.codes.end());
        rows_before.push_back(rows_before.back() + part.rows);
    }
    GatheredLatents<float> result;
    for (const auto& part : comm.allgather(std::span<const float>(latent)))
        result.latent.insert(result.latent.end(), part.begin(), part.end());
    for (const auto& part : comm.allgather(std::span<const std::int32_t>(codes)))
        result.codes.insert(result.codes.end(), part.begin(), part.end());
    std::int64_t first = 0;
    const auto rows = comm.allgather(rows_before.back());
    for (int rank = 0; rank < comm.rank(); ++rank) first += rows[rank];
    for (std::size_t i = 0; i < parts.size(); ++i)
        result.first_row.push_back(first + rows_before[i]);
    return result;
}

template <class T>
void sum_in_order(const std::vector<std::span<T>>& parts, std::span<T> total) {
    constexpr std::int64_t kBlock = 4096;
    const auto size = static_cast<std::int64_t>(total.size());
#pragma omp parallel for schedule(static) num_threads(core::threads()) if (size > 4 * kBlock)
    for (std::int64_t begin = 0; begin < size; begin += kBlock) {
        const std::int64_t end = std::min(begin + kBlock, size);
        std::copy(parts[0].begin() + begin, parts[0].begin() + end, total.begin() + begin);
        for (std::size_t p = 1; p < parts.size(); ++p)
            for (std::int64_t i = begin; i < end; ++i) total[i] += parts[p][i];
    }
}

}  // namespace

StepReducer<float> fixed_tree_reducer(const comm::Comm& comm,
                                      const comm::SpotPartition& partition) {
    StepReducer<float> reducer;
    reducer.sum = [&comm, &partition](const std::vector<std::span<double>>& parts,
                                      std::span<double> total) {
        comm::lane_tree_sum<double>(comm, partition, parts, total);
    };
    reducer.sum_gradients = [&comm, &partition](const std::vector<std::span<float>>& parts,
                                                std::span<float> total) {
        comm::lane_tree_sum<float>(comm, partition, parts, total);
    };
    reducer.gather = [&comm](const std::vector<LatentPart<float>>& parts) {
        return gather_latents(comm, parts);
    };
    return reducer;
}

StepReducer<float> fast_reducer(const comm::Comm& comm) {
    StepReducer<float> reducer;
    reducer.sum = [&comm](const std::vector<std::span<double>>& parts, std::span<double> total) {
        sum_in_order(parts, total);
        comm.allreduce(total);
    };
    reducer.sum_gradients = [&comm](const std::vector<std::span<float>>& parts,
                                    std::span<float> total) {
        sum_in_order(parts, total);
        comm.allreduce(total);
    };
    reducer.gather = [&comm](const std::vector<LatentPart<float>>& parts) {
        return gather_latents(comm, parts);
    };
    return reducer;
}

}  // namespace smeta::model
