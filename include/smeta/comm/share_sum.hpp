#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/comm/spot_partition.hpp"

namespace smeta::comm {

/// Elements [first, last) of a buffer of `size` that are the share of `rank`: whole units of `unit`
/// elements (the buffer's last one may be shorter), dealt as by `even_share`, on 2^k ranks in the
/// order of the ranks' reversed bits. Local.
Range share_of(std::int64_t size, int ranks, int rank, std::int64_t unit);

/// Adds up buffers of one length over ranks and leaves each rank the sum of its share: the first
/// half of an allreduce, in a fixed order of additions. 2^k ranks with a buffer each halve what
/// they add up k times with a partner, neighbours first (recursive halving; Thakur, Rabenseifner
/// and Gropp 2005), which is the order of `lane_tree_sum`. Others send each other their shares of
/// every buffer. Buffers for what arrives are kept between calls.
template <Arithmetic T>
class ShareSum {
  public:
    /// One buffer a rank. `comm` must outlive the object. Local.
    ShareSum(const Comm& comm, std::int64_t unit);
    /// One buffer for each of `partition.subtrees_of(rank)`, in which the rank has added up those
    /// lanes as `lane_tree_sum` does: the rest of that tree, so the bits depend on the lanes alone.
    ShareSum(const Comm& comm, const SpotPartition& partition, std::int64_t unit);

    /// `mine`: this rank's buffers, all of the length of `total` on every rank; they are
    /// overwritten, and `total` may be the first of them. Afterwards `total` holds the sum in this
    /// rank's share; what the rest holds is not specified. Collective; throws MpiError.
    void operator()(std::span<const std::span<T>> mine, std::span<T> total);

  private:
    /// Buffer `to` += buffer `from`; positions among the buffers of all ranks, rank after rank.
    struct Addition {
        std::int32_t to = 0;
        std::int32_t from = 0;
    };

    void halve(std::span<T> buffer);
    void exchange(std::span<const std::span<T>> mine);
    void add(std::span<T> total);

    const Comm* comm_;
    std::int64_t unit_;
    std::vector<int> owners_;  ///< rank of each buffer
    std::vector<Addition> additions_;
    bool halving_ = false;
    std::vector<T> received_;
    std::vector<T*> slices_;  ///< this rank's share of each buffer
    Range share_;
};

/// Every rank's share of `data` (`share_of`) to every rank: the second half of an allreduce.
/// Collective; throws MpiError.
template <Arithmetic T>
void gather_shares(const Comm& comm, std::span<T> data, std::int64_t unit);

extern template class ShareSum<float>;
extern template class ShareSum<double>;

}  // namespace smeta::comm
