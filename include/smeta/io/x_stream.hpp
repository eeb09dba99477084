#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "smeta/core/matrix.hpp"
#include "smeta/io/annotated.hpp"

namespace smeta::io {

/// Rows of a dense matrix that are made when they are asked for: a large one is written without
/// ever being whole in memory.
struct XStream {
    std::int64_t rows = 0;
    std::int64_t cols = 0;
    /// Rows [first, last).
    std::function<core::MatrixF(std::int64_t first, std::int64_t last)> read;
};

/// As write_h5ad (io/anndata.hpp) of data without X, whose X comes from the stream. Local.
void write_h5ad(const std::string& path, const AnnData& data, const XStream& x);

}  // namespace smeta::io
