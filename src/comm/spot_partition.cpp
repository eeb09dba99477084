#include "smeta/comm/spot_partition.hpp"

#include <bit>
#include <numeric>

#include <fmt/format.h>

#include "smeta/core/error.hpp"

namespace smeta::comm {

SpotPartition::SpotPartition(int lanes, int ranks, std::vector<std::int64_t> lane_rows)
    : lanes_(lanes), ranks_(ranks), lane_rows_(std::move(lane_rows)) {
    if (lanes < 1 || !std::has_single_bit(static_cast<unsigned>(lanes)))
        throw core::ConfigError(fmt::format("train.lanes = {}: must be a power of two", lanes));
    if (ranks > lanes)
        throw core::ConfigError(fmt::format(
            "{} ranks for {} lanes: a rank owns at least one lane; start at most {} ranks, or set "
            "train.lanes (part of a run's identity: before its first start) to {}",
            ranks, lanes, lanes, std::bit_ceil(static_cast<unsigned>(ranks))));
    if (lane_rows_.empty()) lane_rows_.assign(lanes, 0);
    core::check(static_cast<int>(lane_rows_.size()) == lanes, "one row count a lane");
    for (int rank = 0; rank < ranks; ++rank)
        owner_.insert(owner_.end(), lanes_of(rank).size(), rank);
}

Range SpotPartition::lanes_of(int rank) const {
    return even_share(lanes_, ranks_, rank);
}

std::int64_t SpotPartition::rows_of(int rank) const {
    const Range mine = lanes_of(rank);
    return std::accumulate(lane_rows_.begin() + mine.first, lane_rows_.begin() + mine.last,
                           std::int64_t{0});
}

std::int64_t SpotPartition::total_rows() const {
    return std::accumulate(lane_rows_.begin(), lane_rows_.end(), std::int64_t{0});
}

std::vector<Range> SpotPartition::subtrees_of(int rank) const {
    const Range mine = lanes_of(rank);
    std::vector<Range> subtrees;
    for (std::int64_t first = mine.first; first < mine.last;) {
        std::int64_t size = 1;
        while (first % (2 * size) == 0 && first + 2 * size <= mine.last) size *= 2;
        subtrees.push_back({first, first + size});
        first += size;
    }
    return subtrees;
}

namespace {

/// The rest of `lane_tree_sum` when the rank has added up its whole subtrees: `buffers` has one
/// span for each of `partition.subtrees_of(comm.rank())`.
template <Arithmetic T>
void subtree_sum(const Comm& comm, const SpotPartition& partition,
                 std::span<const std::span<T>> buffers, std::span<T> total) {
    if (comm.size() == 1) {
        if (buffers[0].data() != total.data())
            std::copy(buffers[0].begin(), buffers[0].end(), total.begin());
        return;
    }
    const std::vector<Range> mine = partition.subtrees_of(comm.rank());
    core::check(mine.size() == buffers.size(), "one buffer a subtree");
    const auto buffer_at = [&](int lane) {
        for (std::size_t i = 0; i < mine.size(); ++i)
            if (mine[i].first == lane) return buffers[i];
        throw core::InvariantError(fmt::format("no subtree begins at lane {}", lane));
    };
    std::vector<T> received;
    for (int half = 1; half < partition.lanes(); half *= 2) {
        for (int left = 0; left < partition.lanes(); left += 2 * half) {
            const int to = partition.owner(left);
            const int from = partition.owner(left + half);
            if (partition.owner(left + 2 * half - 1) == to) continue;  // added up by its rank
            if (comm.rank() != to && comm.rank() != from) continue;
            std::span<const T> right;
            if (from == comm.rank()) right = buffer_at(left + half);
            if (from != to && from == comm.rank()) comm.send(right, to, half);
            if (to != comm.rank()) continue;
            if (from != to) {
                received.resize(total.size());
                comm.receive(std::span<T>(received), from, half);
                right = received;
            }
            const std::span<T> sum = buffer_at(left);
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += right[i];
        }
    }
    if (comm.is_root() && buffers[0].data() != total.data())
        std::copy(buffers[0].begin(), buffers[0].end(), total.begin());
    comm.broadcast(total);
}

}  // namespace

template <Arithmetic T>
void lane_tree_sum(const Comm& comm, const SpotPartition& partition,
                   std::span<const std::span<T>> buffers, std::span<T> total) {
    const Range mine = partition.lanes_of(comm.rank());
    core::check(partition.ranks() == comm.size(), "the partition is of this communicator");
    core::check(static_cast<std::int64_t>(buffers.size()) == mine.size(), "one buffer a lane");
    for (const auto& buffer : buffers)
        core::check(buffer.size() == total.size(), "all lanes' buffers have one length");
    for (std::int64_t half = 1; half < mine.size(); half *= 2)
        for (std::int64_t left = (mine.first + 2 * half - 1) / (2 * half) * (2 * half);
             left + 2 * half <= mine.last; left += 2 * half) {
            const std::span<T> sum = buffers[left - mine.first];
            const std::span<T> right = buffers[left + half - mine.first];
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += right[i];
        }
    if (comm.size() == 1) {
        std::copy(buffers[0].begin(), buffers[0].end(), total.begin());
        return;
    }
    std::vector<std::span<T>> subtrees;
    for (const Range& subtree : partition.subtrees_of(comm.rank()))
        subtrees.push_back(buffers[subtree.first - mine.first]);
    subtree_sum<T>(comm, partition, subtrees, total);
}

template void lane_tree_sum<float>(const Comm&, const SpotPartition&,
                                   std::span<const std::span<float>>, std::span<float>);
template void lane_tree_sum<double>(const Comm&, const SpotPartition&,
                                    std::span<const std::span<double>>, std::span<double>);
template void lane_tree_sum<std::int64_t>(const Comm&, const SpotPartition&,
                                          std::span<const std::span<std::int64_t>>,
                                          std::span<std::int64_t>);

}  // namespace smeta::comm
