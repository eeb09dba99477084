#pragma once

#include <string>

#include "smeta/io/annotated.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::io {

struct StTableOptions {
    /// Table of pixel positions (columns x, y, pixel_x, pixel_y, optionally selected). Empty:
    /// looked for beside the counts as S_selection.tsv, ../spots/S_selection.tsv or
    /// alignment_table_S.tsv, each also .gz, where S is the counts' stem.
    std::string positions;
    bool use_positions = true;  ///< false: array positions only, whatever lies beside
    ValuePolicy values;
};

/// A spots-by-genes table of counts (tab, comma or blank separated, plain or gzip): a header of
/// genes, then a row name and one count a gene each line. Row names `XxY` give array_col = X,
/// array_row = Y. Columns named exactly `x` and `y` are coordinates, not genes. With a table of
/// pixel positions obsm["spatial"] is in full-resolution pixels, spots that it marks as outside the
/// tissue (selected 0) or does not have are left out and counted; otherwise array positions are the
/// coordinates. Without any position there is no obsm["spatial"] (logged). Throws IoError,
/// FormatError (line and column). Local.
AnnData read_st_table(const std::string& path, const StTableOptions& options = {});

/// Stem of a data file: "dir/A1.tsv.gz" -> "A1".
std::string table_stem(const std::string& path);

}  // namespace smeta::io
