#pragma once

#include <cstdint>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/core/matrix.hpp"
#include "smeta/stats/pca.hpp"

namespace smeta::stats {

/// Lanes of rows whose sums are added in one order on any number of ranks.
inline constexpr int kPcaLanes = 32;

/// The rows of a matrix of `rows` rows that a rank holds for principal_components: whole lanes,
/// consecutive; nothing on ranks beyond the lanes. Local.
comm::Range pca_rows(std::int64_t rows, int ranks, int rank);

enum class BlockScale { Keep, UnitTotalVariance };

/// Columns [first, last) that are centred and scaled together.
struct ColumnBlock {
    std::int32_t first = 0;
    std::int32_t last = 0;
    BlockScale scale = BlockScale::Keep;
    /// One entry a row of this rank, 0 where the block is missing: such a row is taken at the
    /// block's mean. Empty: all present.
    std::vector<std::uint8_t> present = {};
};

/// The leading principal components of a sparse matrix whose rows lie over ranks (`mine`: those of
/// pca_rows), columns centred over the rows that have them: block Lanczos from random directions
/// (Musco and Musco 2015) in double, 10 spare directions, until no eigenvalue changes by 1e-10 of
/// itself, at most 16 blocks; never dense. `count` is cut to
/// min(rows, columns). Signs: the largest loading is positive. `scores` are those of all rows, on
/// every rank. The same numbers on any number of ranks and threads. Memory besides `mine`:
/// (kPcaLanes + 32) x columns x (count + 10) doubles and twice rows x (count + 10) doubles.
/// Collective.
PrincipalComponents principal_components(const comm::Comm& comm, std::int64_t rows,
                                         const core::CsrView& mine,
                                         const std::vector<ColumnBlock>& blocks, std::int32_t count,
                                         std::uint64_t seed);

}  // namespace smeta::stats
