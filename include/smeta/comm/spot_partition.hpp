#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/comm/comm.hpp"

namespace smeta::comm {

/// Which rank owns which lanes, and so which rows. A lane is the unit of order, ownership and
/// reduction in training: rows are dealt to lanes by the run's seed alone, ranks own whole lanes. A
/// pure value without MPI: equal on every rank.
///
/// Example: 8 lanes on 3 ranks. even_share gives rank 0 lanes [0, 3), rank 1 lanes [3, 6), rank 2
/// lanes [6, 8). With lane_rows = {5, 5, 4, 4, 4, 4, 4, 0} rank 0 owns 14 rows, rank 1 12 and rank
/// 2 4; lane 7 has none and that is legal. On 8 ranks every rank owns one lane, and rank 7 trains
/// without rows of its own.
class SpotPartition {
  public:
    /// `lanes` is a power of two; `lane_rows` has one entry a lane (empty = no rows anywhere).
    /// Throws ConfigError when there are more ranks than lanes or lanes is no power of two.
    SpotPartition(int lanes, int ranks, std::vector<std::int64_t> lane_rows = {});

    int lanes() const { return lanes_; }
    int ranks() const { return ranks_; }
    /// Lanes [first, last) of a rank: contiguous, at least one.
    Range lanes_of(int rank) const;
    int owner(int lane) const { return owner_[lane]; }
    /// The largest whole subtrees of the binary tree over lanes that a rank's lanes make up, in
    /// order: lanes [3, 8) are the subtrees [3, 4) and [4, 8).
    std::vector<Range> subtrees_of(int rank) const;
    std::int64_t lane_rows(int lane) const { return lane_rows_[lane]; }
    std::int64_t rows_of(int rank) const;
    std::int64_t total_rows() const;

  private:
    int lanes_;
    int ranks_;
    std::vector<int> owner_;
    std::vector<std::int64_t> lane_rows_;
};

/// Sums one buffer a lane over all lanes of all ranks in a binary tree over lane numbers: node (k,
/// i) adds node (k-1, 2i) and (k-1, 2i+1), so the bits of the result depend on the lanes' buffers
/// alone, not on the ranks that hold them. `buffers`: one span for each lane of
/// `partition.lanes_of(comm.rank())`, in lane order, all of the length of `total` on all ranks;
/// they are overwritten. `total` receives the sum on every rank. Collective; throws MpiError.
template <Arithmetic T>
void lane_tree_sum(const Comm& comm, const SpotPartition& partition,
                   std::span<const std::span<T>> buffers, std::span<T> total);

}  // namespace smeta::comm
