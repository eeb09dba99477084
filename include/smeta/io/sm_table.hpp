#pragma once

#include <string>

#include "smeta/io/annotated.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::io {

enum class FeatureKind {
    Metabolites,  ///< bare numbers are m/z
    Other,        ///< columns keep their names
};

struct SmTableOptions {
    std::string columns;   ///< regular expression (ECMAScript) of the feature columns; empty: all
                           ///< that are no position
    std::string polarity;  ///< "pos", "neg" or "" where unknown
    ValuePolicy values;
    FeatureKind features = FeatureKind::Metabolites;
};

/// A table of intensities, plain or gzip.
/// With a column `spot`: rows are named by it, to be joined to the spots of another modality; no
/// coordinates; columns x, y, pixel_x, pixel_y are no features. Otherwise columns `x` and `y` and
/// one column a feature (`x,y,<m/z>...`): rows px_X_Y, obsm["spatial"] = (x, y), unit "raster",
/// rows with total 0 and later rows of the same position left out and counted. Columns whose name
/// is a bare number are named mz_M; an m/z in a name becomes var["mz"]. X is CSR float32. Throws
/// IoError, FormatError (line and column), ConfigError (regular expression). Local.
AnnData read_sm_table(const std::string& path, const SmTableOptions& options = {});

}  // namespace smeta::io
