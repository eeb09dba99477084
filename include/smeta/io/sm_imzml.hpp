#pragma once

#include <optional>
#include <string>
#include <vector>

#include "smeta/io/annotated.hpp"
#include "smeta/io/imzml.hpp"
#include "smeta/io/mz_reference.hpp"
#include "smeta/io/value_policy.hpp"

namespace smeta::io {

struct SmImzmlOptions {
    double ppm = 5;                     ///< half width of the interval of one m/z (spec A2)
    std::optional<double> max_bin_ppm;  ///< widest bin; unset: the published chain merging
    bool verify_checksum = true;
    ValuePolicy values;
};

/// The m/z bins of one image: one pass over the m/z arrays. Local.
MzBins mz_reference(ImzmlReader& reader, const SmImzmlOptions& options, const std::string& path);

/// One image, or its positive and negative one, as pixels by metabolites (spec A2): bins of
/// `mz_reference`, X = sum of the intensities in each bin (double, stored float32), pixels with
/// total 0 left out and counted, of pixels at the same (x, y) the first taken (logged and counted),
/// z dropped. obs: px_X_Y with x, y, total_intensity; var: mz_M_POLARITY with mz, half_width (Da),
/// polarity; obsm["spatial"] = (x, y); unit "raster" with the pixel size in micrometres where the
/// file has it. Two paths: see merge_polarities; polarities come from the files, or from the order
/// (positive first) when neither says. Memory: O(bins + stored values + pixels). Throws IoError,
/// FormatError, ConfigError. Local.
AnnData read_sm_imzml(const std::vector<std::string>& paths, const SmImzmlOptions& options);

/// Positive and negative image of the same pixels: rows are those positions that both have, in the
/// order of `positive`; columns positive, then negative. obs gets total_intensity_pos and _neg and
/// their sum; positions that only one file has are counted as "unmatched_position".
AnnData merge_polarities(const AnnData& positive, const AnnData& negative, const std::string& file);

}  // namespace smeta::io
