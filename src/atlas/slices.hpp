#pragma once

#include <cstdint>
#include <vector>

#include "smeta/comm/comm.hpp"
#include "smeta/io/annotated.hpp"

/// Rows of annotated data: cutting and putting together. Private to the module.
namespace smeta::atlas::detail {

/// Files of a section with that many rows, `file_rows` each: at least one.
std::int64_t joint_pieces(std::int64_t rows, std::int64_t file_rows);
comm::Range piece_range(std::int64_t rows, std::int64_t file_rows, std::int64_t piece);

/// FormatError-free check of our own callers: every modality has the same observations.
/// InvariantError.
void check_joint(const io::MuData& data);

/// Rows [range): obs, X, layers and obsm; obsp is left out (a cut of a graph is none); var and uns
/// whole.
io::AnnData row_slice(const io::AnnData& data, comm::Range range);
io::MuData row_slice(const io::MuData& data, comm::Range range);

/// Rows of all parts in order. Parts have the same var; columns that a part lacks are missing there
/// (NaN, "", no category); categories are united in order of appearance; uns of the first part.
io::AnnData concatenate(const std::vector<io::AnnData>& parts);
io::Frame concatenate_frames(const std::vector<io::Frame>& parts);
io::MatrixValues concatenate_matrices(const std::vector<io::MatrixValues>& parts);

}  // namespace smeta::atlas::detail
