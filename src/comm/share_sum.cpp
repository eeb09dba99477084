#include "smeta/comm/share_sum.hpp"

#include <algorithm>
#include <bit>

#include <mpi.h>

#include "smeta/core/error.hpp"
#include "smeta/core/memory.hpp"

#include "checked.hpp"
#include "datatype.hpp"

namespace smeta::comm {

namespace {

// Elements of every buffer that are added up together, so that partial sums stay in the cache.
constexpr std::int64_t kTile = 2048;

bool is_power_of_two(int ranks) {
    return std::has_single_bit(static_cast<unsigned>(ranks));
}

/// Position of a rank's share among those of 2^k ranks: k bits, reversed.
int share_position(int ranks, int rank) {
    int position = 0;
    for (int bit = 1; bit < ranks; bit *= 2) {
        position = 2 * position + rank % 2;
        rank /= 2;
    }
    return position;
}

/// Shares of all of 2^k ranks that agree with `rank` in the bits below `half`: consecutive.
Range segment_of(std::int64_t size, int ranks, int rank, int half, std::int64_t unit) {
    const int count = ranks / half;
    const int first = share_position(ranks, rank) / count * count;
    const std::int64_t units = (size + unit - 1) / unit;
    return {std::min(size, even_share(units, ranks, first).first * unit),
            std::min(size, even_share(units, ranks, first + count - 1).last * unit)};
}

/// Sends `mine` to `partner` and fills `theirs` from it.
template <class T>
void swap_with(const Comm& comm, int partner, std::span<const T> mine, std::span<T> theirs) {
    checked(MPI_Sendrecv(mine.data(), static_cast<int>(mine.size()), datatype<T>(), partner, 0,
                         theirs.data(), static_cast<int>(theirs.size()), datatype<T>(), partner, 0,
                         mpi_handle(comm.native()), MPI_STATUS_IGNORE));
}

template <class T>
std::span<T> part(std::span<T> data, const Range& range) {
    return data.subspan(range.first, range.size());
}

}  // namespace

Range share_of(std::int64_t size, int ranks, int rank, std::int64_t unit) {
    if (is_power_of_two(ranks)) return segment_of(size, ranks, rank, ranks, unit);
    const Range units = even_share((size + unit - 1) / unit, ranks, rank);
    return {std::min(size, units.first * unit), std::min(size, units.last * unit)};
}

template <Arithmetic T>
ShareSum<T>::ShareSum(const Comm& comm, std::int64_t unit) : comm_(&comm), unit_(unit) {
    for (int rank = 0; rank < comm.size(); ++rank) owners_.push_back(rank);
    for (int rank = 1; rank < comm.size(); ++rank) additions_.push_back({0, rank});
    halving_ = is_power_of_two(comm.size());
}

template <Arithmetic T>
ShareSum<T>::ShareSum(const Comm& comm, const SpotPartition& partition, std::int64_t unit)
    : comm_(&comm), unit_(unit) {
    // Of each lane: the buffer whose subtree begins there, and the lanes of that subtree.
    std::vector<std::int32_t> buffer(partition.lanes(), -1);
    std::vector<std::int64_t> lanes(partition.lanes(), 0);
    for (int rank = 0; rank < comm.size(); ++rank)
        for (const Range& subtree : partition.subtrees_of(rank)) {
            buffer[subtree.first] = static_cast<std::int32_t>(owners_.size());
            lanes[subtree.first] = subtree.size();
            owners_.push_back(rank);
        }
    for (int half = 1; half < partition.lanes(); half *= 2)
        for (int left = 0; left < partition.lanes(); left += 2 * half)
            if (buffer[left] >= 0 && lanes[left] < 2 * half && buffer[left + half] >= 0)
                additions_.push_back({buffer[left], buffer[left + half]});
    halving_ = is_power_of_two(comm.size());
}

template <Arithmetic T>
void ShareSum<T>::operator()(std::span<const std::span<T>> mine, std::span<T> total) {
    share_ = share_of(std::ssize(total), comm_->size(), comm_->rank(), unit_);
    for (const std::span<T> buffer : mine)
        core::check(buffer.size() == total.size(), "all buffers of a sum have one length");
    core::check(std::ranges::count(owners_, comm_->rank()) == std::ssize(mine),
                "a rank brings the buffers that the sum expects");
    if (halving_) {
        halve(mine[0]);
        if (mine[0].data() != total.data())
            std::ranges::copy(part(mine[0], share_), total.begin() + share_.first);
        return;
    }
    exchange(mine);
    add(total);
}

template <Arithmetic T>
void ShareSum<T>::halve(std::span<T> buffer) {
    const int ranks = comm_->size();
    const int me = comm_->rank();
    for (int half = 1; half < ranks; half *= 2) {
        const int partner = me ^ half;
        const Range kept = segment_of(std::ssize(buffer), ranks, me, 2 * half, unit_);
        const Range given = segment_of(std::ssize(buffer), ranks, partner, 2 * half, unit_);
        if (std::ssize(received_) < kept.size()) {
            received_.resize(kept.size());
            core::prefer_large_pages(received_.data(), received_.size() * sizeof(T));
        }
        swap_with<T>(*comm_, partner, part(buffer, given),
                     {received_.data(), static_cast<std::size_t>(kept.size())});
        T* sum = buffer.data() + kept.first;
        for (std::int64_t i = 0; i < kept.size(); ++i) sum[i] += received_[i];
    }
}

/// Fills `slices_`.
template <Arithmetic T>
void ShareSum<T>::exchange(std::span<const std::span<T>> mine) {
    const int ranks = comm_->size();
    const int me = comm_->rank();
    const std::int64_t foreign = std::ssize(owners_) - std::ssize(mine);
    received_.resize(foreign * share_.size());
    slices_.resize(owners_.size());
    std::vector<MPI_Request> requests;
    requests.reserve(foreign + std::ssize(mine) * (ranks - 1));
    MPI_Comm handle = mpi_handle(comm_->native());
    T* free = received_.data();
    int own = 0;
    int of_rank = 0;  // buffers of this rank before this one: the message's tag
    for (std::size_t b = 0; b < owners_.size(); ++b) {
        of_rank = b > 0 && owners_[b] == owners_[b - 1] ? of_rank + 1 : 0;
        if (owners_[b] == me) {
            slices_[b] = mine[own++].data() + share_.first;
            continue;
        }
        slices_[b] = free;
        checked(MPI_Irecv(free, static_cast<int>(share_.size()), datatype<T>(), owners_[b], of_rank,
                          handle, &requests.emplace_back()));
        free += share_.size();
    }
    // Every rank begins with its successor, so that no rank is everybody's first.
    for (int step = 1; step < ranks; ++step) {
        const int to = (me + step) % ranks;
        const Range theirs = share_of(std::ssize(mine[0]), ranks, to, unit_);
        for (int k = 0; k < std::ssize(mine); ++k)
            checked(MPI_Isend(mine[k].data() + theirs.first, static_cast<int>(theirs.size()),
                              datatype<T>(), to, k, handle, &requests.emplace_back()));
    }
    checked(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE));
}

template <Arithmetic T>
void ShareSum<T>::add(std::span<T> total) {
    T* result = total.data() + share_.first;
    for (std::int64_t first = 0; first < share_.size(); first += kTile) {
        const std::int64_t last = std::min(first + kTile, share_.size());
        for (const Addition& addition : additions_) {
            T* to = slices_[addition.to];
            const T* from = slices_[addition.from];
            for (std::int64_t i = first; i < last; ++i) to[i] += from[i];
        }
        if (slices_[0] != result) std::copy(slices_[0] + first, slices_[0] + last, result + first);
    }
}

template <Arithmetic T>
void gather_shares(const Comm& comm, std::span<T> data, std::int64_t unit) {
    const int ranks = comm.size();
    const std::int64_t size = std::ssize(data);
    if (is_power_of_two(ranks)) {
        for (int half = ranks / 2; half >= 1; half /= 2) {
            const int partner = comm.rank() ^ half;
            swap_with<T>(comm, partner,
                         part(data, segment_of(size, ranks, comm.rank(), 2 * half, unit)),
                         part(data, segment_of(size, ranks, partner, 2 * half, unit)));
        }
        return;
    }
    std::vector<int> counts;
    std::vector<int> offsets;
    for (int rank = 0; rank < ranks; ++rank) {
        const Range share = share_of(size, ranks, rank, unit);
        counts.push_back(static_cast<int>(share.size()));
        offsets.push_back(static_cast<int>(share.first));
    }
    checked(MPI_Allgatherv(MPI_IN_PLACE, 0, datatype<T>(), data.data(), counts.data(),
                           offsets.data(), datatype<T>(), mpi_handle(comm.native())));
}

template class ShareSum<float>;
template class ShareSum<double>;
template void gather_shares<float>(const Comm&, std::span<float>, std::int64_t);
template void gather_shares<double>(const Comm&, std::span<double>, std::int64_t);

}  // namespace smeta::comm
