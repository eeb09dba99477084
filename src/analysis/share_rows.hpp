#pragma once

#include <span>
#include <utility>
#include <vector>

#include "smeta/comm/comm.hpp"

namespace smeta::analysis::detail {

/// `work(range)` returns the values of some rows (equally many a row), each rank computes an even
/// share of `rows`; every rank gets the values of all rows in order. Errors are voted. Collective.
template <class Work>
auto share_rows(const comm::Comm& comm, std::int64_t rows, Work work) {
    using Values = decltype(work(comm::Range{}));
    Values mine;
    comm.all_or_throw([&] { mine = work(comm::even_share(rows, comm.size(), comm.rank())); });
    if (comm.size() == 1) return mine;
    Values all;
    for (const auto& part :
         comm.allgather(std::span<const typename Values::value_type>(std::as_const(mine))))
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

}  // namespace smeta::analysis::detail
